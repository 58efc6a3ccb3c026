"""ENAS as in LightNAS: each trial is an epoch of a supernet."""
