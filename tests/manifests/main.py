"""Runs all tests in this directory and tells how many passed."""

import pathlib
import sys
import unittest

import yaml


def refuse_duplicates(loader, node, deep=False):
    """A map of YAML. One with the same key twice is an error, of which tools take one or the other."""
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


def main():
    yaml.SafeLoader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: refuse_duplicates(loader, node, True))
    directory = str(pathlib.Path(__file__).parent)
    tests = unittest.defaultTestLoader.discover(directory, top_level_dir=directory)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    # A test that fails for many rows of its table has failed once.
    failed = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print(f"{result.testsRun - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
