"""Objectives: what a step of training makes small, and what is drawn to make it from.

Knows tensors, label tables and sentences; no model, no corpus and no loop. Most are pure functions;
what must remember (`momentum.Queue`, `teacher.Teacher`) says so and can be saved.
"""
