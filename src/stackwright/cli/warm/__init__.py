"""Commands that need not start an interpreter: a process with everything imported forks one worker for each.

Most of a quick command is the start of Python and its modules (0.1 s). The first command of a verb that talks to an engine
leaves a *fork server* behind, a process that has imported what those verbs need; the next command hands its words, its
environment and its open files to it (`handover`), and a fork of the fork server carries it out in the client's name (`worker`).
The client passes signals on and ends as the worker ends. A fork server serves only its own user, only commands started under
the same conditions (`conditions`), and ends by itself: when idle, when the program's files change, when its socket is
removed. `STACKWRIGHT_WARM=0` does without.
"""
