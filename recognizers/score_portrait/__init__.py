"""Scores of talking portraits: measures on what can be seen in the frames, each with controls.

Everything about the face is measured on meshes re-detected in rendered frames, never on the motion
that was asked for; when which sound is spoken is known from the speech alone.
"""
