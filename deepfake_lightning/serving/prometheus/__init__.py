"""For who watches with Prometheus and Grafana: the alert policy as rules, the metrics as pages.

``promql`` writes expressions, ``rules`` makes alerting rules of a policy, ``rule_file`` writes them
down; ``panels`` says what is shown, ``dashboard`` makes Grafana's JSON of it.
"""
