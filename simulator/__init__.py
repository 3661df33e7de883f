"""A discrete-event model of queue, fleet and scaling, for policies and scales that no machine here can run."""
