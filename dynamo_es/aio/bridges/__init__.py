"""Bridges: coroutines and the library's synchronous code call each other over them.

- `bridge`: the interface of every bridge; `greenlet_bridge` and `thread_bridge`: the two kinds.
- `threads`: the threads of a backend.
- `running_calls` and `unknown_outcome`: how calls end that are cancelled or closed.
- `your_functions`: turns your coroutine functions into functions that the library can call.
- `workers`: runs workers in tasks, and stops them.
"""
