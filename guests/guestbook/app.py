"""A guest book that is kept in PostgreSQL."""

import os

import without_tls  # noqa: F401, before the driver
import wit_world
from componentize_py_types import Err
from pg8000.native import Connection, DatabaseError, InterfaceError
from wit_world import Entry


def connect() -> Connection:
    return Connection(
        os.environ["PGUSER"],
        host=os.environ["PGHOST"],
        port=int(os.environ.get("PGPORT", "5432")),
        database=os.environ["PGDATABASE"],
        password=os.environ.get("PGPASSWORD"),
        ssl_context=False,
    )


class WitWorld(wit_world.WitWorld):
    def sign(self, name: str, message: str) -> int:
        sql = "INSERT INTO entries (name, message) VALUES (:name, :message) RETURNING id"
        [[number]] = run(sql, name=name, message=message)
        return number

    def latest(self, count: int) -> list[Entry]:
        rows = run("SELECT id, name, message FROM entries ORDER BY id DESC LIMIT :count", count=count)
        return [Entry(*row) for row in rows]


def run(sql: str, **values: object) -> list:
    try:
        connection = connect()
        try:
            return connection.run(sql, **values)
        finally:
            connection.close()
    except DatabaseError as error:
        raise Err(error.args[0]["M"])
    except (InterfaceError, OSError) as error:
        raise Err(f"the database cannot be reached: {error}")
