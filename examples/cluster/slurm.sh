#!/usr/bin/env bash
# A search in a batch queue: sbatch examples/cluster/slurm.sh examples/cluster/search.yaml
# The first node has Ray's head and the daemon. When its time is over the job is queued anew, and the search goes on.
# The run's folder (NASD_HOME) must be on a local disk of that node, or on a file system with POSIX locks: not on NFS.
#SBATCH --job-name=nasd
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -euo pipefail

config=${1:?the search\'s config}
nodes=()
while read -r node; do nodes+=("$node"); done < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
ip=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 10000)) # several jobs may share a node

srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" ray start --head --node-ip-address="$ip" --port="$port" \
  --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --disable-usage-stats --block &
for node in "${nodes[@]:1}"; do # those that come before the head node try again
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" ray start --address="$ip:$port" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats --block &
done

export RAY_ADDRESS="$ip:$port" # which of several clusters of this node `auto` is
nasd run "$config" --set executor.workers=$((4 * SLURM_JOB_NUM_NODES)) &
daemon=$!
trap 'kill -TERM $daemon; wait $daemon || true; scontrol requeue "$SLURM_JOB_ID"' TERM
wait $daemon
