"""The player of AWS's rules, with toy handlers: for each rule a test that fails where the rule is not played."""
