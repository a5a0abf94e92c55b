"""Operations: pure functions from a structure, and sometimes an image, to the planes that would differ.

Each returns `Changes`: plane index of the structure's grid -> its new region, valid, or None where the plane would be empty. What cannot be
done raises an `InputError` that says why. Tools and menus make an `Edit` of it.
"""
