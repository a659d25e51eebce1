import sys

from wit_world import exports


class Run(exports.Run):
    def run(self) -> None:
        name = sys.stdin.read().strip() or "world"
        print(f"Hello, {name}!")
