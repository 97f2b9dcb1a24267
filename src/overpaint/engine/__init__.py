"""One device, many pictures: scheduling, running and telling about it.

`Scheduler` decides and knows no tensors; `Runner` computes and decides nothing; `LocalEngine` turns the wheel between
them and speaks `core.ports.EngineClient` to the outside. Knows no storage and no HTTP.
"""
