"""PHORHUM: one photo becomes a closed, coloured, metric 3D person.

Nothing is imported here: the worker process and the command line import this package where there is no Blender.
"""


def register() -> None:
    from .addon import registration

    registration.register()


def unregister() -> None:
    from .addon import registration

    registration.unregister()
