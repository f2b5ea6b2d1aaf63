"""Every rule against PyTorch on many random arguments: ``make fuzz``. Prints its seed, and each case that disagrees."""

import argparse
import random
import sys
import warnings

from agreement import Disagreement, agree
from test_rules_agree import EVERY
from variations import varied


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000, help="in total, over all makers of arguments")
    parser.add_argument("--seed", default=None, help="the seed to repeat; one is drawn and printed where none is given")
    parser.add_argument("--only", default=None, help="one maker")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    seed = asked.seed if asked.seed is not None else str(random.randrange(10**6))
    laid_out = {f"{name}, laid out": made for name, maker in EVERY.items() if (made := varied("laid out", name, maker))}
    makers = {name: maker for name, maker in (EVERY | laid_out).items() if asked.only in (None, name)}
    each = -(-asked.cases // len(makers))
    print(f"seed {seed}: {each} cases for each of {len(makers)} makers of arguments")
    total, wrong, counts = 0, 0, {}
    for name, maker in makers.items():
        try:
            counts[name] = agree(name, maker, each, seed)
        except Disagreement as problem:
            wrong += 1
            print(f"DISAGREE {problem}", flush=True)
        except AssertionError as problem:
            wrong += 1
            print(f"WRONG {name}: {problem}", flush=True)
        else:
            total += counts[name]["agreed"] + counts[name]["refused"]
    agreed = sum(count["agreed"] for count in counts.values())
    print(
        f"seed {seed}: {total} cases agree ({agreed} with a shape, {total - agreed} refused); {wrong} makers disagree"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
