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
    /// <param name="device">"cpu", or "cuda" for the engine ort.</param>
    /// <exception cref="BadModelException">The folder is no exported policy, or is damaged.</exception>
    /// <exception cref="EngineException">The native library is missing.</exception>
    public static GenerationStage Open(string policy, string engine = "ort", int threads = 0, string device = "cpu")
    {
        PolicyFolder folder = PolicyFolder.Open(policy);
        TokenizerCodec codec = TokenizerCodec.Open(folder);
        try
        {
            return new GenerationStage(engine switch
            {
                "ort" => new OrtEngine(folder, codec, new OrtEngineOptions { Threads = threads, Device = device }, ownsCodec: true),
                "genai" when device != "cpu" => throw new ConfigurationException($"device is '{device}', which only the engine ort takes; the engine is genai."),
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
        if (job.Beams is null) return Run(prompts, job.Sampling, job.Output, onRollout, cancellation);
        if (Engine is not OrtEngine ort) throw new ConfigurationException("--beams needs the engine ort.");
        return Write(ort.GenerateBeams(prompts, job.Beams, job.Sampling.Iteration, cancellation), job.Beams.Returned, job.Output, onRollout, cancellation);
    }

    /// <summary>Answers the prompts and writes the rollouts.</summary>
    /// <param name="prompts">Read as needed, once.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="output">The rollout file; appears when whole.</param>
    /// <param name="onRollout">Called for every row written.</param>
    /// <param name="cancellation">Stops between tokens; then there is no file.</param>
    public GenerationSummary Run(
        IEnumerable<Prompt> prompts, SamplingOptions sampling, string output, Action<Rollout>? onRollout = null, CancellationToken cancellation = default) =>
        Write(Engine.Generate(prompts, sampling, cancellation), sampling.SamplesPerPrompt, output, onRollout, cancellation);

    private GenerationSummary Write(IEnumerable<Rollout> rollouts, int perPrompt, string output, Action<Rollout>? onRollout, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        long responses = 0, tokens = 0, eos = 0, length = 0;
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
        return new GenerationSummary(responses / perPrompt, responses, tokens, Stopwatch.GetElapsedTime(start).TotalSeconds, eos / all, length / all, Engine.PolicyHash);
    }

    public void Dispose() => Engine.Dispose();
}
