"""The notation of TG-263: reading, writing, answers on a curve drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.dosimetry.dvh import Dvh
from reviewer.dosimetry.metrics import Metric, MetricError


def ramp():
    """100 cc evenly between 10 and 60 Gy: 2 cc per Gy."""
    dose = np.array([10.0, 30.0, 60.0])
    return Dvh("ramp", 125.0, 0.2, dose, np.array([100.0, 60.0, 0.0]), 10.0, 35.0, 60.0)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("D95%[Gy]", 12.5),
        ("D95%", 12.5),
        ("D2%[Gy]", 59.0),
        ("D0.5cc[Gy]", 59.75),
        ("D0.035cc[Gy]", 59.9825),
        ("D50%[%]", 70.0),
        ("DC70cc[Gy]", 45.0),
        ("DC10%[Gy]", 15.0),
        ("D100%[Gy]", 10.0),
        ("V18Gy[cc]", 84.0),
        ("V18Gy[%]", 84.0),
        ("V18Gy", 84.0),
        ("V95%[%]", 25.0),
        ("V95%[cc]", 25.0),
        ("CV18Gy[cc]", 16.0),
        ("CV18Gy", 16.0),
        ("CV50%[%]", 30.0),
        ("V5Gy[cc]", 100.0),
        ("V60.5Gy[cc]", 0.0),
        ("CV70Gy[cc]", 100.0),
        ("Mean[Gy]", 35.0),
        ("Mean[%]", 70.0),
        ("Max", 60.0),
        ("Min[Gy]", 10.0),
        ("Median[Gy]", 35.0),
        ("median", 35.0),
        (" d 95 % [ gy ] ", 12.5),
    ],
)
def test_answers_on_a_ramp(text, answer):
    assert Metric.parse(text).of(ramp(), prescribed_gy=50.0) == pytest.approx(answer)


@pytest.mark.parametrize("text", ["D101cc[Gy]", "DC700cc[Gy]"])
def test_more_volume_than_there_is_has_no_answer(text):
    assert Metric.parse(text).of(ramp()) is None


@pytest.mark.parametrize("text", ["V95%[%]", "CV95%[cc]", "D95%[%]", "Mean[%]", "Median[%]"])
def test_percent_of_an_unknown_prescription_has_no_answer(text):
    metric = Metric.parse(text)
    assert metric.needs_prescription
    assert metric.of(ramp()) is None
    assert metric.of(ramp(), prescribed_gy=0.0) is None


def test_percent_of_the_volume_needs_no_prescription():
    assert not Metric.parse("V18Gy[%]").needs_prescription
    assert not Metric.parse("D95%[Gy]").needs_prescription


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a dose-volume metric"),
        ("Dmax", "not a dose-volume metric"),
        ("X95%", "not a dose-volume metric"),
        ("V20Gy[cc", "not a dose-volume metric"),
        ("D95%[Gy]!", "not a dose-volume metric"),
        ("D-5%[Gy]", "not a dose-volume metric"),
        ("D50[Gy]", "volume in % or cc"),
        ("D18Gy[Gy]", "volume in % or cc"),
        ("D[Gy]", "volume in % or cc"),
        ("V18[cc]", "dose in Gy"),
        ("V18cc[cc]", "dose in Gy"),
        ("D95%[cc]", "answers in Gy or %"),
        ("D95%[]", "answers in Gy or %"),
        ("V18Gy[Gy]", "answers in cc or %"),
        ("Mean[cc]", "answers in Gy or %"),
        ("Mean5%[Gy]", "takes no number"),
        ("D0%[Gy]", "no part of a volume"),
        ("D0cc[Gy]", "no part of a volume"),
        ("D100.1%[Gy]", "no part of a volume"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(text, says):
    with pytest.raises(MetricError, match=says) as caught:
        Metric.parse(text)
    assert caught.value.remedy
    assert repr(text) in caught.value.where


amount = st.floats(0.001, 100).map(lambda x: round(x, 3)).filter(lambda x: x > 0)


@given(
    st.one_of(
        st.builds(
            Metric, st.sampled_from(["D", "DC"]), st.sampled_from(["Gy", "%"]), amount, st.sampled_from(["%", "cc"])
        ),
        st.builds(
            Metric, st.sampled_from(["V", "CV"]), st.sampled_from(["cc", "%"]), amount, st.sampled_from(["%", "Gy"])
        ),
        st.builds(Metric, st.sampled_from(["Mean", "Max", "Min", "Median"]), st.sampled_from(["Gy", "%"])),
    )
)
def test_writing_and_reading_is_the_same_metric(metric):
    assert Metric.parse(str(metric)) == metric
