import wit_world
from componentize_py_types import Err
from wit_world import Person


class WitWorld(wit_world.WitWorld):
    def greet(self, person: Person) -> str:
        if not person.name:
            raise Err("a person has a name")
        return f"Hello, {person.name} of {person.age} years!"
