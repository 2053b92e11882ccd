"""How coroutines and the library's code, which blocks, call each other.

- `bridge`: what every bridge does; `greenlet_bridge` and `thread_bridge`: the two kinds.
- `threads`: the threads of a backend.
- `running_calls` and `unknown_outcome`: how calls end that are cancelled or closed.
- `your_functions`: your coroutine functions, as the library calls them.
- `workers`: how a worker runs in a task, and stops.
"""
