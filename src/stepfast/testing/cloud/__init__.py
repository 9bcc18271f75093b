"""AWS on one machine in simulated time: moto, with event sources that keep to AWS's rules."""
