"""The engine as an ordinary user (docs/decisions/0031-rootless.md).

    engine   enters a user, a mount and a network namespace of the user's, and is root in there
    keeper   stays outside: keeps the namespaces alive, has ids mapped, runs pasta, makes sockets in the
             host's network for published ports and name servers
    pasta    carries packets between the user's network and the host's (passt(1)); optional

Nothing in here is imported by an engine that root runs.
"""
