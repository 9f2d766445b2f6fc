"""The table of issue 5: all tasks, in its order by kind."""

import gradients
import hessians
import jacobians

TASKS = (*gradients.TASKS, *hessians.TASKS, *jacobians.TASKS)
