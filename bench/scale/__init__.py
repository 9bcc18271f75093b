"""What thousands of starts a second need of one AWS account: a model of the deployment, played in virtual time."""
