"""Refuses a commit message whose subject is 72 characters or longer.

python3 .ci/check_subject.py FILE, as git's hook commit-msg calls it; or without a file,
for all commits of this branch that the given base lacks: `--since BASE`.
"""

import subprocess
import sys

LONGEST = 71


def too_long(subjects: list[str]) -> list[str]:
    """Returns the subjects that are longer than 71 characters."""
    return [subject for subject in subjects if len(subject) > LONGEST]


def main(arguments: list[str]) -> int:
    """Prints what is too long; returns 1 if anything is."""
    if arguments[:1] == ["--since"]:
        log = ["git", "log", "--no-merges", "--format=%s", f"{arguments[1]}..HEAD"]
        done = subprocess.run(log, capture_output=True, text=True, check=True)
        subjects = done.stdout.splitlines()
    else:
        with open(arguments[0], encoding="utf-8") as message:
            subjects = message.read().splitlines()[:1]
    for subject in too_long(subjects):
        print(f"A subject has at most {LONGEST} characters, this {len(subject)}:")
        print(f"  {subject}")
    return int(bool(too_long(subjects)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
