using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// A small run of the shipped models, minutes on one core, that uses every kind of state: value head, both moments, running reward moments,
/// an adaptive KL coefficient, a learning-rate schedule, several rewards, and evaluation.
/// </summary>
public static class SmallRun
{
    private const int HeldOut = 8;

    /// <summary>
    /// Writes configuration and held-out prompts into a folder and returns the configuration's path. Threads are named: processes that are
    /// given other cores meanwhile must still add in the same order.
    /// </summary>
    public static string Write(string folder, int iterations)
    {
        string root = Repository.Root(), config = Path.Combine(folder, "run.yaml");
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, "held-out.jsonl"), File.ReadLines(Path.Combine(root, "data", "review-openings.heldout.jsonl")).Take(HeldOut));
        File.WriteAllText(config, $$"""
            seed: 3
            output: {{folder}}/run
            policy: {{root}}/models/policy-imdb
            iterations: {{iterations}}
            threads: {{Environment.ProcessorCount}}
            generation:
              prompts: {{root}}/data/review-openings.train.jsonl
              prompts_per_iteration: 24
              max_new_tokens: 16
              temperature: 0.7
              batch_size: 6
              part_responses: 8
            scoring:
              rewards:
                - { name: positive, model: {{root}}/models/reward-imdb, transform: sigmoid }
                - { name: length, rule: "length:unit=tokens,target=14,width=12", weight: 0.3 }
            method:
              epochs: 2
              minibatch_size: 8
              kl_coefficient: 0.05
              kl_target: 1
              kl_horizon: 400
              reward_normalization: running
            optimizer: { learning_rate: 2.0e-4, warmup_steps: 4, schedule: linear, final_fraction: 0.1 }
            evaluation:
              prompts: held-out.jsonl
              samples_per_prompt: 1

            """);
        return config;
    }
}
