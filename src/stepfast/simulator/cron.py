"""When an EventBridge Scheduler `cron(…)` comes next: as the product itself reckons it before it deploys."""

from stepfast.deployment.cron import Cron

__all__ = ["Cron"]
