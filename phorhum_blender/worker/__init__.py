"""The wall between Blender and the engine: a child process, its protocol, its client and its server."""
