"""BuildKit clients on this engine: gRPC over a connection taken from the Engine API.

``docker compose build``, ``docker buildx`` and ``docker build`` with buildx speak BuildKit's ``Control`` service over
``POST /grpc`` and serve files, secrets and SSH agents to the engine over ``POST /session``. Here a solve becomes one
build of :mod:`stackwright.embedded.builder`. Imported with the first such request, not before.
"""
