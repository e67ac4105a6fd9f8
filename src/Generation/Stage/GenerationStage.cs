using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;
using Rlhf.Trajectories;

namespace Rlhf.Generation;

/// <summary>
/// The generation stage: prompts in, rollouts.parquet out, streamed as responses finish. The loop keeps one warm; the executable runs one
/// once. Both write the same bytes.
/// </summary>
public sealed class GenerationStage : IDisposable
{
    public GenerationStage(IRolloutEngine engine) => Engine = engine;

    public IRolloutEngine Engine { get; }

    /// <summary>Opens the engine and tokenizer over an exported policy.</summary>
    /// <param name="policy">The folder.</param>
    /// <param name="engine">"ort" or "genai".</param>
    /// <param name="threads">0: all cores (GenAI chooses for itself).</param>
    /// <exception cref="BadModelException">The folder is no exported policy, or is damaged.</exception>
    /// <exception cref="EngineException">The native library is missing.</exception>
    public static GenerationStage Open(string policy, string engine = "ort", int threads = 0)
    {
        PolicyFolder folder = PolicyFolder.Open(policy);
        TokenizerCodec codec = TokenizerCodec.Open(folder);
        try
        {
            return new GenerationStage(engine switch
            {
                "ort" => new OrtEngine(folder, codec, new OrtEngineOptions { Threads = threads }, ownsCodec: true),
                "genai" => new GenAiEngine(folder, codec, ownsCodec: true),
                _ => throw new ConfigurationException($"engine is '{engine}'; it must be ort or genai."),
            });
        }
        catch
        {
            codec.Dispose();
            throw;
        }
    }

    /// <summary>Answers the prompts of the job's file (its share of them) and writes the rollouts.</summary>
    /// <param name="job">Its policy must be the engine's.</param>
    /// <param name="onRollout">Called for every row written.</param>
    /// <param name="cancellation">Stops between tokens; then there is no file.</param>
    public GenerationSummary Run(GenerationJob job, Action<Rollout>? onRollout = null, CancellationToken cancellation = default)
    {
        IEnumerable<Prompt> prompts = PromptFile.Read(job.Prompts, job.PromptColumn).Where((_, index) => index % job.Shards == job.Shard);
        return Run(prompts, job.Sampling, job.Output, onRollout, cancellation);
    }

    /// <summary>Answers the prompts and writes the rollouts.</summary>
    /// <param name="prompts">Read as needed, once.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="output">The rollout file; appears when whole.</param>
    /// <param name="onRollout">Called for every row written.</param>
    /// <param name="cancellation">Stops between tokens; then there is no file.</param>
    public GenerationSummary Run(
        IEnumerable<Prompt> prompts, SamplingOptions sampling, string output, Action<Rollout>? onRollout = null, CancellationToken cancellation = default)
    {
        long start = Stopwatch.GetTimestamp();
        long responses = 0, tokens = 0, eos = 0, length = 0;
        IEnumerable<Rollout> rollouts = Engine.Generate(prompts, sampling, cancellation);
        using RolloutWriter writer = new(output);
        foreach (Rollout rollout in rollouts)
        {
            writer.Append(rollout);
            responses++;
            tokens += rollout.ResponseTokens.Length;
            if (rollout.FinishReason == FinishReason.Eos) eos++;
            if (rollout.FinishReason == FinishReason.Length) length++;
            onRollout?.Invoke(rollout);
        }

        cancellation.ThrowIfCancellationRequested();
        writer.Complete();
        double all = Math.Max(1, responses);
        return new GenerationSummary(responses / sampling.SamplesPerPrompt, responses, tokens, Stopwatch.GetElapsedTime(start).TotalSeconds, eos / all, length / all, Engine.PolicyHash);
    }

    public void Dispose() => Engine.Dispose();
}
