;; Nebula refuses this module: it imports a function of a component's interface, but it is no component. Compilers make such
;; modules for hosts that make components of them.
(module
  (import "fermyon:spin/variables@2.0.0" "get" (func (param i32 i32 i32)))

  (func (export "fermyon:spin/inbound-http#handle-request")))
