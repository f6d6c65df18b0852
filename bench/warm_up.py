"""For the graph of `nothing` what the pipeline's own warm-up is for the real one."""

import tasker_release_pipeline.warm_up  # noqa: F401  # imports and builds what every step needs
from bench.nothing import defs

defs.resolve_job_def("release")
