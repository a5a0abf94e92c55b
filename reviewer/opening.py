"""Opening: any mix of files and folders becomes a `Case`, in two steps: everything but the voxels at once, the voxels as they come.

A workspace among them brings the files that it builds on, and what was edited.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from reviewer.case import Case, Cine, Image, Patient, Problem, StructureSet
from reviewer.dicom.file import DicomFile, read_file
from reviewer.dicom.pixels import release
from reviewer.dicom.read import patient_of, read
from reviewer.dicom.series import Load
from reviewer.dicom.values import date, text
from reviewer.dosimetry.recipe import MADE
from reviewer.edit import History, Swap, swapped
from reviewer.errors import CancelledError, InputError, ReviewerError
from reviewer.store import SUFFIX, Located, Source, Workspace, located, renamed, source
from reviewer.store.followed import Fingerprint, difference, fingerprint
from reviewer.volumes.cines import is_cine, labels_of, read_cine
from reviewer.volumes.images import Volume, another, image_of, is_volume, read_volume, structures_of

ARRIVED_EVERY = 8
"""Planes between two messages that some have arrived; the first plane is told at once."""

DIRECTORY = "1.2.840.10008.1.3.10"
"""A DICOMDIR lists files that are found anyway."""

EXPECTED_SUFFIXES = (".dcm", ".dicom", ".ima")
"""A file of such a name that is not DICOM is a problem; of another name it is only left alone."""

NAMED = 5
"""Files that are left alone are named up to this many."""

OF_A_FILE = ("it ", "the image was not opened", "the folder was not searched")
"""What is said of a file as a whole, rather than of something in it, begins so."""

Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Study:
    """One study to choose from; counts: modality -> number of files."""

    uid: str
    date: str
    description: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Candidate:
    """One patient to choose from; `patient.id` goes back into `begin`."""

    patient: Patient
    studies: tuple[Study, ...]

    @property
    def study_uids(self) -> tuple[str, ...]:
        return tuple(study.uid for study in self.studies)


class SeveralPatientsError(InputError):
    """The input holds several patients and the caller must choose one of `candidates`."""

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates
        ids = ", ".join(c.patient.id or "(no id)" for c in candidates[:6]) + (", …" if len(candidates) > 6 else "")
        super().__init__(f"there are {len(candidates)} patients: {ids}", remedy="choose one of them")


@dataclass
class Opening:
    """A case whose images may still be without voxels. `case` gains problem lines when planes turn out to be unreadable.

    sources: the files that the case is made of. workspace, history: where it was edited before.
    """

    case: Case
    _loads: dict[str, Load] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    workspace: Workspace | None = None
    history: History | None = None

    def read_voxels(
        self, arrived: Callable[[str], None], cancelled: Cancelled | None = None, first: str | None = None
    ) -> tuple[Problem, ...]:
        """Fill the images, `first` before the others, middle planes first; meant for a worker thread.

        arrived: called with an image's id after its first plane, every ARRIVED_EVERY planes, and its last one.
        Planes that cannot be read stay `pending` for good; the problems that say so are returned and added to `case`.
        Raises CancelledError when the user stops.
        """
        problems: list[Problem] = []
        for load in sorted(self._loads.values(), key=lambda item: item.image.id != first):
            refused: dict[str, list[int]] = defaultdict(list)
            for n, k in enumerate(middle_out(len(load.planes))):
                if cancelled is not None and cancelled():
                    raise CancelledError
                pending = load.image.pending
                if pending is not None and pending[k]:
                    try:
                        load.read(k)
                    except ReviewerError as error:
                        refused[error.what].append(k)
                if n % ARRIVED_EVERY == 0:
                    arrived(load.image.id)
            arrived(load.image.id)
            problems += _unread(load, refused)
        release()
        self._loads.clear()
        self.case = replace(self.case, problems=(*self.case.problems, *problems))
        return tuple(problems)


def _unread(load: Load, refused: Mapping[str, Sequence[int]]) -> Iterator[Problem]:
    for reason, planes in refused.items():
        where = ", ".join(f"{load.image.grid.positions_mm[k]:.2f}" for k in sorted(planes)[:5]) + (
            " …" if len(planes) > 5 else ""
        )
        yield Problem(
            load.planes[planes[0]].pixels.path,
            "error",
            f"{len(planes)} of {len(load.planes)} planes could not be read and are empty (at {where} mm): {reason}",
        )


def middle_out(count: int) -> list[int]:
    """Indices from the middle to both ends: 0 … 4 as 2, 1, 3, 0, 4."""
    middle = count // 2
    return sorted(range(count), key=lambda k: (abs(k - middle), k))


def open_case(
    paths: Sequence[Path | str],
    *,
    patient_id: str | None = None,
    study_uids: frozenset[str] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Case:
    """The whole case, voxels included; as `begin`."""
    opening = begin(paths, patient_id=patient_id, study_uids=study_uids, progress=progress, cancelled=cancelled)
    opening.read_voxels(lambda image_id: None, cancelled)
    return opening.case


def begin(
    paths: Sequence[Path | str],
    *,
    patient_id: str | None = None,
    study_uids: frozenset[str] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    hold: bool = False,
) -> Opening:
    """Everything that these files and folders (searched recursively) hold of one patient, but for the voxels of DICOM images.

    patient_id: which patient, where there are several; study_uids: only these studies. progress: (0 to 1, what is being done).
    hold: a workspace is opened to be written, else only to be read.
    Raises InputError when a path does not exist or nothing is usable, SeveralPatientsError when the caller must choose,
    CancelledError when `cancelled` says so. Everything else that is wrong is a line in `Case.problems`.
    """
    kept = [Path(p) for p in paths if _is_workspace(Path(p))]
    if not kept:
        return _begin(paths, patient_id, study_uids, progress, cancelled)
    if len(kept) > 1:
        raise InputError(f"{len(kept)} workspaces cannot be opened at once", remedy="open one of them")
    workspace = Workspace.open(kept[0], hold)
    try:
        found = located(workspace.sources, kept[0].parent)
        others = [p for p in paths if not _is_workspace(Path(p))]
        if not found.paths and not others:
            raise InputError(
                f"none of the {len(workspace.sources)} files that it builds on is where it was"
                + (f" ({workspace.sources[0].path} …)" if workspace.sources else ""),
                where=str(kept[0]),
                remedy="open the workspace together with the folder that holds them",
            )
        opening = _begin([*found.paths, *others], patient_id, study_uids, progress, cancelled)
        return _edited(opening, workspace, found)
    except BaseException:
        workspace.release()
        raise


def _is_workspace(path: Path) -> bool:
    return path.suffix == SUFFIX and path.is_file()


def _edited(opening: Opening, workspace: Workspace, found: Located) -> Opening:
    """The case as the workspace left it."""
    names = {s.name for s in opening.sources}
    by_path = {s.path: s.name for s in workspace.sources}
    problems = [p for p in found.problems if p.severity != "error" or by_path[p.file] not in names]
    changed = renamed(found, opening.sources)
    if workspace.sources and not any(changed.get(s.name, s.name) in names for s in workspace.sources):
        raise InputError(
            f"none of the {len(workspace.sources)} files that it builds on is among those opened: it belongs to other data",
            where=str(workspace.keeping.path),
            remedy="open it with the folder that it was made for",
        )
    workspace.build_on(opening.sources, changed)
    replay = workspace.replay(opening.case, changed)
    case, remarks = _followed(replay.case, replay.followed)
    where = str(workspace.keeping.path)
    if any(entry.kind == MADE for entry in workspace.entries):  # loads numba
        case, lost = import_module("reviewer.dosimetry.made").remade(case, workspace.entries)
        remarks = [*remarks, *lost]
    if any(entry.kind == "sign" for entry in workspace.entries):  # loads what takes a second
        trail = import_module("reviewer.approval.trail")
        case, doubts = trail.signed_case(case, workspace.entries)
        view = workspace.settings.get("view")
        workspace.settings["view"] = {
            **(view if isinstance(view, dict) else {}),
            **trail.judging_signed(case, workspace.entries),
        }
        remarks = [*remarks, *doubts]
        workspace.doubts = (*workspace.doubts, *doubts)
    problems += [Problem(where, "warning", sentence) for sentence in (*workspace.told, *remarks)]
    workspace.told = (*workspace.told, *remarks)
    case = replace(case, problems=(*case.problems, *problems))
    return replace(opening, case=case, workspace=workspace, history=replay.history)


def _followed(case: Case, then: Mapping[str, Fingerprint]) -> tuple[Case, list[str]]:
    """Structures that follow a formula are made anew by it; sentences where they come out differently, or cannot be made.

    then: what they were, where that is known better than from the contours in the case.
    """
    remarks: list[str] = []
    for group in case.structure_sets:
        live = [s for s in group.structures if s.live]
        if not live:
            continue
        derivations = import_module("reviewer.formula.derivations").Derivations()  # loads what takes a second
        try:
            case = swapped(case, derivations.follow(case, [Swap(group.id, s, s) for s in live]))
        except ReviewerError as error:
            bare = [Swap(group.id, s, replace(s, planes={})) for s in live]
            case = swapped(case, bare)
            unable: Mapping[str, ReviewerError] = {}
            try:
                case = swapped(case, derivations.follow(case, bare))
                unable = derivations.unable
            except ReviewerError:  # in a circle none of them can be
                unable = {s.id: error for s in live}
            remarks += [
                f"the formula of {s.name} cannot be evaluated ({unable[s.id]}): it is shown without contours"
                for s in live
                if s.id in unable
            ]
            live = [s for s in live if s.id not in unable]
        for before in live:
            after = case.structure(before.id)
            apart = difference(fingerprint(after), then.get(before.id, fingerprint(before))) if after else ""
            if apart:
                remarks.append(f"{before.name} does not come out of its formula as it did when it was edited: {apart}")
    return case, remarks


def _begin(
    paths: Sequence[Path | str],
    patient_id: str | None,
    study_uids: frozenset[str] | None,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Opening:
    say = progress or (lambda fraction, what: None)

    def check() -> None:
        if cancelled is not None and cancelled():
            raise CancelledError

    problems: list[Problem] = []
    dicom, volumes, others = _scan(paths, problems, say, check)
    total = len(dicom) + len(volumes) + len(others) + len(problems)
    chosen = _of_one_patient(dicom, patient_id, problems)
    if study_uids is not None:
        there = sorted({file.study_uid for file in chosen})
        chosen = [file for file in chosen if file.study_uid in study_uids]
        if there and not chosen:
            raise InputError(
                f"no file belongs to study {', '.join(sorted(study_uids))}", remedy=f"there are: {', '.join(there)}"
            )
    release()
    found = read(chosen, lambda fraction, what: say(0.6 + 0.3 * fraction, what), check)
    problems += found.problems
    images = [load.image for load in found.loads]
    sets = list(found.structure_sets)
    cines = list(found.cines)
    named = {file.path: file.sop_uid for file in chosen}
    rest = _open_cines(volumes, cines, sets, named, problems, check)
    _open_volumes(rest, images, sets, named, problems, check)
    if others:
        names = ", ".join(Path(name).name for name in others[:NAMED]) + (", …" if len(others) > NAMED else "")
        counted = "1 file is" if len(others) == 1 else f"{len(others)} files are"
        left = "was" if len(others) == 1 else "were"
        problems.append(
            Problem(_folder(others), "note", f"{counted} not DICOM, NIfTI or MetaImage and {left} left alone: {names}")
        )
    if not (images or sets or found.doses or found.plans or found.registrations or cines):
        # What is wrong with another patient's files is no answer to somebody who chose one.
        own = [p for p in problems if p.file in named] if patient_id is not None else []
        raise _nothing_usable(paths, total, own or problems)
    say(1.0, "Opened")
    problems = _gathered(problems)
    case = Case(
        patient=patient_of(chosen),
        images=tuple(images),
        structure_sets=tuple(sets),
        doses=tuple(found.doses),
        plans=tuple(found.plans),
        registrations=tuple(found.registrations),
        cines=tuple(cines),
        problems=tuple(problems),
    )
    sources = tuple(_sources(named, volumes))
    return Opening(case, {load.image.id: load for load in found.loads}, sources)


def _sources(named: Mapping[str, str], volumes: Sequence[str]) -> Iterator[Source]:
    """named: path -> name; a volume that could not be opened goes by its path."""
    for path, name in (*named.items(), *((volume, volume) for volume in volumes if volume not in named)):
        with suppress(OSError):
            yield source(path, name)


def _nothing_usable(paths: Sequence[Path | str], total: int, problems: Sequence[Problem]) -> InputError:
    errors = [p for p in problems if p.severity == "error"]
    where = ", ".join(map(str, paths))
    if total == 0:
        return InputError("the folder is empty" if len(paths) == 1 else "the folders are empty", where=where)
    if len(errors) == 1:
        said = errors[0].message.removeprefix("it was not opened: ")
        return InputError(f"nothing usable was found: {said}", where=errors[0].file)
    if errors:
        return InputError(
            f"nothing usable was found in {total} files; the first problem is that {errors[0].message}", where=where
        )
    return InputError(f"nothing usable was found: none of {total} files is DICOM, NIfTI or MetaImage", where=where)


# -- files ----------------------------------------------------------------------------------------------------------------


def _files(paths: Sequence[Path | str], problems: list[Problem]) -> list[str]:
    """All files, each once, folders searched recursively, in a stable order. What hides files from the search becomes a problem."""
    if not paths:
        raise InputError("no file or folder was given")
    found: dict[str, str] = {}
    searched = [os.path.realpath(given) for given in paths]

    def closed(error: OSError) -> None:
        problems.append(Problem(str(error.filename), "error", f"the folder was not searched: {error.strerror}"))

    for given in paths:
        path = Path(given)
        if not path.exists():
            raise InputError("there is no such file or folder", where=str(path))
        listed = [str(path)]
        if path.is_dir():
            listed = []
            for folder, folders, files in os.walk(path, onerror=closed):
                listed += (os.path.join(folder, name) for name in files)
                for link in filter(os.path.islink, (os.path.join(folder, name) for name in folders)):
                    target = os.path.realpath(link)
                    if not any(Path(target).is_relative_to(place) for place in searched):
                        said = "it is a link to a folder elsewhere, which was not searched: give that folder too"
                        problems.append(Problem(link, "error", said))
            listed.sort()
        for name in listed:
            if os.path.isfile(name):
                found.setdefault(os.path.realpath(name), name)
            elif os.path.islink(name):
                problems.append(Problem(name, "error", "it was not opened: it is a link that leads to no file"))
    return list(found.values())


def _scan(
    paths: Sequence[Path | str], problems: list[Problem], say: Progress, check: Callable[[], None]
) -> tuple[list[DicomFile], list[str], list[str]]:
    """DICOM files, volume files, and others. Unreadable ones become problems."""
    names = _files(paths, problems)
    raw_beside = {os.path.splitext(name)[0] for name in names if name.lower().endswith(".mhd")}
    dicom: list[DicomFile] = []
    volumes: list[str] = []
    others: list[str] = []
    directories: list[str] = []
    for n, name in enumerate(names):
        check()
        if n % 20 == 0:
            say(0.6 * n / len(names), f"Reading headers, {n} of {len(names)} files")
        stem, suffix = os.path.splitext(name)
        if suffix.startswith(SUFFIX) or stem.endswith(SUFFIX):
            continue  # a workspace that lies beside the data, its log, its lock
        if is_volume(name):
            volumes.append(name)
            continue
        if suffix.lower() in (".raw", ".zraw") and stem in raw_beside:
            continue
        try:
            file = read_file(name)
        except InputError as error:
            problems.append(Problem(name, "error", f"it was not opened: {error.what}"))
        except OSError as error:
            problems.append(Problem(name, "error", f"it was not opened: {error.strerror or 'it cannot be read'}"))
        else:
            if file is not None and file.sop_class_uid == DIRECTORY:
                directories.append(name)
            elif file is not None:
                dicom.append(file)
            elif suffix.lower() in EXPECTED_SUFFIXES:
                problems.append(
                    Problem(name, "error", "it was not opened: it is named like DICOM, but does not begin like it")
                )
            else:
                others.append(name)
    if directories and not dicom and not volumes:
        said = "it was not opened: a DICOMDIR only lists other files; open the folder that it lies in"
        problems.append(Problem(directories[0], "error", said))
    return dicom, volumes, others


def _gathered(problems: Sequence[Problem]) -> list[Problem]:
    """One line for many files of which the same is to be said, but for the numbers in it; up to NAMED files have a line each."""
    alike: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.message.startswith(OF_A_FILE):
            alike[re.sub(r"\d+", "0", problem.message)].append(problem)
    many = {id(p): group for group in alike.values() if len({p.file for p in group}) > NAMED for p in group}
    lines = []
    for problem in problems:
        group = many.get(id(problem), [problem])
        if problem is group[0]:
            more = f" (and {len(group) - 1} more files alike)" if len(group) > 1 else ""
            lines.append(replace(problem, message=f"{problem.message}{more}"))
    return lines


def _folder(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    try:
        return os.path.commonpath(names)
    except ValueError:
        return names[0]


# -- patients -------------------------------------------------------------------------------------------------------------


def _of_one_patient(files: Sequence[DicomFile], patient_id: str | None, problems: list[Problem]) -> list[DicomFile]:
    """The files of the patient asked for, or of the only one there is; those without patient id go with their study."""
    patients: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        patients[file.patient_id].append(file)
    if patient_id is not None and files and patient_id not in patients:
        raise InputError(f"there is no patient with the id {patient_id!r}")
    named = [key for key in patients if key]
    if patient_id is None and len(named) > 1:
        raise SeveralPatientsError(tuple(_candidate(group) for group in patients.values()))
    wanted = patient_id if patient_id is not None else next(iter(named), "")
    chosen = patients.get(wanted, [])
    if not wanted:
        return chosen
    studies = {file.study_uid for file in chosen} - {""}
    for file in patients.get("", []):
        if file.study_uid in studies:
            problems.append(
                Problem(file.path, "warning", f"it names no patient: it was opened with its study, of {wanted}")
            )
            chosen = [*chosen, file]
        elif patient_id is None:
            problems.append(
                Problem(file.path, "error", f"it was not opened: it names no patient, and no study of {wanted}")
            )
    return chosen


def _candidate(files: Sequence[DicomFile]) -> Candidate:
    studies: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        studies[file.study_uid].append(file)
    return Candidate(
        patient_of(files),
        tuple(
            Study(
                uid,
                next((day for f in group if (day := date(f.dataset, "StudyDate"))), ""),
                next((words for f in group if (words := text(f.dataset, "StudyDescription"))), ""),
                dict(Counter(f.modality or "?" for f in group)),
            )
            for uid, group in studies.items()
        ),
    )


# -- volumes --------------------------------------------------------------------------------------------------------------


def _open_cines(
    names: Sequence[str],
    cines: list[Cine],
    sets: list[StructureSet],
    named: dict[str, str],
    problems: list[Problem],
    check: Callable[[], None],
) -> list[str]:
    """Frames in time, with the labels that go with them; returns the names that are neither. named: path -> id, to be added to."""
    rest = list(names)
    for name in filter(is_cine, names):
        check()
        labels = labels_of(name, names)
        rest = [n for n in rest if n != name and n not in labels]
        try:
            cine, group, notes = read_cine(name, labels)
        except Exception as error:
            problems.append(_refused(name, error))
            continue
        if any(cine.id == other.id for other in cines):
            problems.append(Problem(name, "note", "left alone: these very frames are open already"))
            continue
        cines.append(cine)
        named[name] = cine.id
        if group is not None:
            named[group.path] = group.id
        sets.extend([group] if group is not None else [])
        problems += notes
    return rest


def _open_volumes(
    names: Sequence[str],
    images: list[Image],
    sets: list[StructureSet],
    named: dict[str, str],
    problems: list[Problem],
    check: Callable[[], None],
) -> None:
    """Images first, so that a label map finds the image that it was drawn on. named: as above."""
    volumes: list[Volume] = []
    alike: Counter[str] = Counter()
    for name in names:
        check()
        try:
            volume = read_volume(name)
            alike[volume.name] += 1
            if alike[volume.name] > 1:
                volume = another(volume, alike[volume.name])
            named[name] = volume.name
            if volume.doubt:
                problems.append(Problem(name, "warning", volume.doubt))
            if volume.labels:
                volumes.append(volume)
                continue
            image, note = image_of(volume)
        except Exception as error:
            problems.append(_refused(name, error))
        else:
            images.append(image)
            problems.append(note)
    for volume in volumes:
        check()
        try:
            group, notes = structures_of(volume, images)
        except Exception as error:
            problems.append(_refused(volume.path, error))
        else:
            sets.append(group)
            problems += notes


def _refused(name: str, error: Exception) -> Problem:
    gist = error.what if isinstance(error, ReviewerError) else f"{type(error).__name__}: {str(error)[:120]}"
    return Problem(name, "error", f"it was not opened: {gist}")
