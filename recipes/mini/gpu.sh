#!/usr/bin/env bash
# One run on one GPU, in under ten minutes: train, decoder, export, evaluate, pack.
#
#   bash recipes/mini/gpu.sh                      the first run, and each further one where its state still lies
#   START=src/overpaint/bundled/overpaint-mini bash recipes/mini/gpu.sh      goes on from exported weights
#
# MINUTES (9) is the time of everything together; HORIZON the minutes of training after which the rate is
# annealed, in all runs together (configs/gpu.toml; set it to what is left when starting from weights).
# Results go to $OUT as eight files of at most 15 MB: checkpoint.tar.0? (join with cat), curve, log, figures.
set -euo pipefail
cd "$(dirname "$0")/../.."
CONFIG=${CONFIG:-recipes/mini/configs/gpu.toml} MINUTES=${MINUTES:-9} CASES=${CASES:-90}
PYTHON=${PYTHON:-python3}
RUN=recipes/mini/runs/$(basename "$CONFIG" .toml)
OUT=${OUT:-$RUN/out}
export TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
mkdir -p "$RUN" "$OUT"
"$PYTHON" -c "import diffusers" 2>/dev/null || "$PYTHON" -m pip install -q --no-index --no-deps recipes/mini/.cache/diffusers-*.whl

left() { "$PYTHON" -c "print(max(0.05, $MINUTES - $SECONDS / 60 - ${1}))"; }

# 100 seconds stay for the decoder, the export and the evaluation.
"$PYTHON" -m recipes.mini.train --config "$CONFIG" --minutes "$(left "${RESERVE:-1.7}")" \
  ${HORIZON:+--horizon "$HORIZON"} ${START:+--from "$START"} 2>&1 | tee -a "$RUN/train.log"
"$PYTHON" -m recipes.mini.decoder --config "$CONFIG" --resume --minutes "${DECODER:-0.4}" \
  ${START:+--from "$START"} 2>&1 | tee -a "$RUN/train.log"
"$PYTHON" -m recipes.mini.export --config "$CONFIG" --target "$RUN/checkpoint/overpaint-mini"
tar -C "$RUN/checkpoint" -cf - overpaint-mini | split -b 15000000 -d -a 2 - "$OUT/checkpoint.tar."
cp "$RUN/loss.png" "$RUN/loss.csv" "$RUN/train.log" "$OUT"
timeout "$(left 0.1)m" "$PYTHON" -m recipes.mini.evaluate --checkpoint "$RUN/checkpoint/overpaint-mini" \
  --cases "$CASES" --folder "$OUT" --threads 8 || failed=$?
rm -f "$OUT/evaluation.md"
ls -l "$OUT"
case ${failed:-0} in
  0) ;;
  124) echo "evaluation did not finish in time; the checkpoint is there" ;;
  *) echo "evaluation failed; the checkpoint is there" >&2; exit "$failed" ;;
esac
