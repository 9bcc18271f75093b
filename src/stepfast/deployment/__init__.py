"""What a project says of its deployment, and every number that follows from it: settings, plan, schedules."""
