"""The networks of NVlabs/edm, which diffusers has none like: ``SongUNet`` in its form ``ddpmpp``."""
