"""Tests of hack/check-words: it finds what it should, and nothing else."""

import pathlib
import subprocess
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parent.parent / "check-words"
LONG = "one two three four five " * 5


class CheckWords(unittest.TestCase):
    def findings(self, text, suffix=".md"):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / f"text{suffix}"
            path.write_text(text, encoding="utf-8")
            ended = subprocess.run([CHECK, path], check=False, capture_output=True, text=True)
        *found, _ = ended.stdout.splitlines()
        self.assertEqual(ended.returncode, 1 if found else 0, ended.stderr)
        return [line.removeprefix(f"{path}:") for line in found]

    def test_a_word_of_the_list_is_found_with_its_line_and_the_word_to_use(self):
        self.assertEqual(self.findings("Good.\n\nA Folder is here.\n"), ["3: 'Folder': write directory"])
        self.assertEqual(len(self.findings("It tells every mistake.\n")), 2)

    def test_a_word_inside_another_is_not_found(self):
        self.assertEqual(self.findings("A blindfolder of the folderless. It is too late.\n"), [])

    def test_code_and_targets_of_links_are_not_checked(self):
        text = "`folder` and [a page](folder.md).\n\n```sh\nfolder\n```\n"
        self.assertEqual(self.findings(text), [])
        self.assertEqual(len(self.findings(text + "folder\n")), 1)

    def test_a_sentence_over_several_lines_is_counted(self):
        self.assertEqual(self.findings(f"Short.\n{LONG}.\n"), [])
        self.assertEqual(len(self.findings(f"Short. Short\n{LONG}.\n")), 1)

    def test_items_and_cells_are_sentences_of_their_own(self):
        self.assertEqual(self.findings(f"- {LONG}\n- {LONG}\n"), [])
        self.assertEqual(self.findings(f"| {LONG} | {LONG}; {LONG} |\n"), [])
        self.assertEqual(len(self.findings(f"| {LONG} more | one |\n")), 1)

    def test_lines_of_a_help_text_are_sentences_of_their_own(self):
        self.assertEqual(self.findings(f"Exit status:\n  0  {LONG}\n  1  {LONG}\n", ".snap"), [])

    def test_a_sentence_that_begins_with_of_or_a_clause_of_what_is_found(self):
        self.assertEqual(len(self.findings("Of two daemons, one is asked.\n")), 1)
        self.assertEqual(len(self.findings("What is left is small. Who knows?\n")), 1)

    def test_a_comment_switches_the_check_off_and_on(self):
        text = "<!-- check-words: off -->\nfolder\n<!-- check-words: on -->\nfolder\n"
        self.assertEqual(self.findings(text), ["4: 'folder': write directory"])

    def test_comments_alone_are_checked_in_other_files(self):
        self.assertEqual(self.findings("folder: x\n# A folder.\n", ".yaml"), ["2: 'folder': write directory"])
        self.assertEqual(self.findings("let a = 1;\n/// A folder.\n", ".rs"), ["2: 'folder': write directory"])

    def test_names_and_texts_of_several_words_are_checked_in_rust(self):
        text = 'struct OldFolder;\nlet a_folder = "folder", is_good = 1;\nwarn!("no \\\n    folder");\n'
        found = [finding.split(": ", 2)[:2] for finding in self.findings(text, ".rs")]
        self.assertEqual(found, [["1", "in a name"], ["2", "in a name"], ["3", "in a text"]])

    def test_a_quotation_mark_in_a_character_begins_no_text(self):
        self.assertEqual(self.findings("let a = '\"';\nlet a_b = '\"';\n// folder\n", ".rs"), ["3: 'folder': write directory"])

    def test_the_actions_of_a_template_are_not_checked(self):
        self.assertEqual(self.findings("{{ if .folder }}\nA folder.\n", ".txt"), ["2: 'folder': write directory"])


if __name__ == "__main__":
    unittest.main()
