import wit_world
from componentize_py_types import Err
from wit_world.imports import atomics, store


class WitWorld(wit_world.WitWorld):
    def count(self, page: str) -> int:
        try:
            with store.open("default") as bucket:
                return atomics.increment(bucket, page, 1)
        except Err as error:
            raise Err(in_words(error.value))


def in_words(error: store.Error) -> str:
    return error.value if isinstance(error, store.Error_Other) else "the store is not there, or not for this function"
