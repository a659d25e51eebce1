;; Traps in a function whose name clears a terminal, begins a line and turns the direction of writing.
(module
  (func $"\1b[2J\0arm -rf\e2\80\aeevil" (export "odd-names")
    unreachable))
