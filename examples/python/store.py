"""What this owner must not forget: section 18 of docs/protocol.md. One SQLite file, every commit on disk before it returns."""
import json
import sqlite3
from fractions import Fraction

from errors import Refusal

TABLES = """
CREATE TABLE IF NOT EXISTS answers (job TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS charges (
  job TEXT NOT NULL, round INTEGER NOT NULL, dataset TEXT NOT NULL, unit TEXT, rho TEXT, PRIMARY KEY (job, round)
);
CREATE TABLE IF NOT EXISTS contributions (
  job TEXT NOT NULL, round INTEGER NOT NULL, round_digest TEXT NOT NULL, digest TEXT NOT NULL, bytes BLOB, receipt TEXT,
  PRIMARY KEY (job, round)
);
"""


class Store:
    def __init__(self, path: str) -> None:
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.executescript(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            )
            # Two processes under one name would contribute twice.
            self._database.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
        except sqlite3.Error as error:
            raise Refusal(f"{path} cannot be opened; does another data owner use it? ({error})") from error

    def _run(self, statement: str, *values):
        return self._database.execute(statement, values)

    def answer(self, job: str):
        """Digest of the descriptor and the answer that was given to it, or None."""
        row = self._run("SELECT digest, answer FROM answers WHERE job = ?", job).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))

    def keep_answer(self, job: str, digest: str, answer: dict) -> None:
        self._run("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", job, digest, json.dumps(answer))

    def spent(self, dataset: str, unit: str, beside: str = "") -> Fraction:
        """What the rounds of all jobs, or of all but one, were charged for a data set and unit."""
        rows = self._run("SELECT rho FROM charges WHERE dataset = ? AND unit = ? AND job <> ?", dataset, unit, beside)
        return sum((Fraction(rho) for (rho,) in rows), Fraction(0))

    def charge(self, job: str, round_number: int, dataset: str, unit, rho) -> None:
        """Once for a round; nothing is ever given back. Both None: a round without differential privacy."""
        given = None if rho is None else str(rho)
        self._run("INSERT OR IGNORE INTO charges VALUES (?, ?, ?, ?, ?)", job, round_number, dataset, unit, given)

    def is_charged(self, job: str, round_number: int) -> bool:
        return self._run("SELECT 1 FROM charges WHERE job = ? AND round = ?", job, round_number).fetchone() is not None

    def contribution(self, job: str, round_number: int):
        """Round digest, digest, bytes (None once forgotten) and whether there is a receipt; None for a round without any."""
        return self._run(
            "SELECT round_digest, digest, bytes, receipt IS NOT NULL FROM contributions WHERE job = ? AND round = ?",
            job,
            round_number,
        ).fetchone()

    def keep_contribution(self, job: str, round_number: int, round_digest: str, digest: str, content: bytes) -> None:
        """There is one for each round: another one is an error of this program, and never takes its place."""
        self._run(
            "INSERT INTO contributions VALUES (?, ?, ?, ?, ?, NULL)", job, round_number, round_digest, digest, content
        )

    def settle(self, job: str, round_number: int, receipt: dict = None) -> None:
        """Forgets the bytes: there is a receipt, or the round is over without them."""
        text = None if receipt is None else json.dumps(receipt)
        self._run(
            "UPDATE contributions SET bytes = NULL, receipt = ? WHERE job = ? AND round = ?", text, job, round_number
        )

    def unsettled(self) -> list:
        """Jobs and rounds of which bytes are kept."""
        return self._run("SELECT job, round FROM contributions WHERE bytes IS NOT NULL").fetchall()
