"""Seconds of training until a target is reached, by Lethe's arrangement and by the published one."""
