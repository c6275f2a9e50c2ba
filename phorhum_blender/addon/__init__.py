"""The Blender side: operators, panel, preferences and what is built in the scene. Never imports torch."""
