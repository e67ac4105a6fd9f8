using System.Globalization;
using System.Text.Json;
using Rlhf.Core;
using Rlhf.Generation.Beams;
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
    private readonly string _settings;

    /// <param name="engine">Disposed with the stage.</param>
    /// <param name="settings">What rows depend on besides the policy's folder, prompts and sampling: threads, device.</param>
    public GenerationStage(IRolloutEngine engine, string settings = "") => (Engine, _settings) = (engine, settings);

    public IRolloutEngine Engine { get; }

    /// <summary>Opens the engine and tokenizer over an exported policy.</summary>
    /// <param name="policy">The folder.</param>
    /// <param name="engine">"ort" or "genai".</param>
    /// <param name="threads">0: all cores (GenAI chooses for itself).</param>
    /// <param name="device">"cpu", or "cuda" for the engine ort.</param>
    /// <exception cref="ConfigurationException">No such engine, device or number of threads.</exception>
    /// <exception cref="BadModelException">The folder is no exported policy, or is damaged.</exception>
    /// <exception cref="EngineException">The native library is missing.</exception>
    public static GenerationStage Open(string policy, string engine = "ort", int threads = 0, string device = "cpu")
    {
        RangeAttribute allowed = RangeAttribute.Of<RunConfig>(nameof(RunConfig.Threads));
        if (!allowed.Contains(threads)) throw new ConfigurationException($"threads is {threads}; it must be {allowed} (0: all cores).");
        PolicyFolder folder = PolicyFolder.Open(policy);
        TokenizerCodec codec = TokenizerCodec.Open(folder);
        try
        {
            return new GenerationStage(engine switch
            {
                "ort" => new OrtEngine(folder, codec, new OrtEngineOptions { Threads = threads, Device = device }, ownsCodec: true),
                "genai" when device != "cpu" => throw new ConfigurationException($"device is '{device}', which only the engine ort takes; the engine is genai."),
                "genai" => new GenAiEngine(folder, codec, ownsCodec: true, threads),
                _ => throw new ConfigurationException($"engine is '{engine}'; it must be ort or genai."),
            }, $"{device}, {(threads > 0 ? threads : Environment.ProcessorCount)} threads");
        }
        catch
        {
            codec.Dispose();
            throw;
        }
    }

    /// <summary>Answers the prompts of the job's file (its share of them) and writes the rollouts.</summary>
    /// <param name="job">Its policy must be the engine's.</param>
    /// <param name="onRollout">Called for every row.</param>
    /// <param name="cancellation">Stops between tokens: then there is no file, but finished parts are kept for the next run.</param>
    /// <exception cref="InterruptedException">Cancelled, and there are finished parts.</exception>
    public GenerationSummary Run(GenerationJob job, Action<Rollout>? onRollout = null, CancellationToken cancellation = default)
    {
        job.Check();
        IEnumerable<Prompt> prompts = PromptFile.Read(job.Prompts, job.PromptColumn).Where((_, index) => job.Shard?.Takes(index) ?? true);
        if (job.Beams is not { } beams) return Run(prompts, job.Sampling, job.Output, onRollout, cancellation);
        if (Engine is not OrtEngine ort) throw new ConfigurationException("--beams needs the engine ort.");
        SamplingOptions sampling = job.Sampling with { SamplesPerPrompt = beams.Returned };
        return Write(prompts, p => ort.GenerateBeams(p, beams, sampling.Iteration, cancellation), sampling, beams, job.Output, onRollout, cancellation);
    }

    /// <summary>Answers the prompts and writes the rollouts, in parts where they are more than <see cref="SamplingOptions.PartResponses"/>.</summary>
    /// <param name="prompts">Read as needed, once.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="output">The rollout file; appears when whole.</param>
    /// <param name="onRollout">Called for every row.</param>
    /// <param name="cancellation">Stops between tokens: then there is no file, but finished parts are kept for the next run.</param>
    /// <exception cref="InterruptedException">Cancelled, and there are finished parts.</exception>
    public GenerationSummary Run(
        IEnumerable<Prompt> prompts, SamplingOptions sampling, string output, Action<Rollout>? onRollout = null, CancellationToken cancellation = default) =>
        Write(prompts, p => Engine.Generate(p, sampling, cancellation), sampling, null, output, onRollout, cancellation);

    private GenerationSummary Write(
        IEnumerable<Prompt> prompts, Func<IEnumerable<Prompt>, IEnumerable<Rollout>> draw, SamplingOptions sampling, BeamSearchOptions? beams, string output, Action<Rollout>? onRollout,
        CancellationToken cancellation)
    {
        var tally = new GenerationTally();
        Action<Rollout> took = tally.Add + onRollout;
        using IEnumerator<Prompt[]> chunks = prompts.Chunk(Math.Max(1, sampling.PartResponses / sampling.SamplesPerPrompt)).GetEnumerator();
        Prompt[] first = chunks.MoveNext() ? chunks.Current : [];
        var parts = new GenerationParts(output, draw, took, cancellation);
        if (!chunks.MoveNext())
        {
            parts.DrawInto(output, first);
        }
        else
        {
            // This program's own code too: another build may draw other responses.
            string program = typeof(GenerationStage).Module.ModuleVersionId.ToString();
            parts.Settings = string.Join('\n', program, _settings, Engine.Name, Engine.PolicyHash, Engine.SettingsHash, JsonSerializer.Serialize(sampling), JsonSerializer.Serialize(beams));
            try
            {
                parts.Draw(first);
                do parts.Draw(chunks.Current); while (chunks.MoveNext());
            }
            catch (OperationCanceledException) when (parts.Rows > 0)
            {
                throw new InterruptedException(string.Create(CultureInfo.InvariantCulture, $"Interrupted after {parts.Rows:N0} responses, which are kept. The same command goes on from there."));
            }

            RolloutFile.Write(output, parts.ReadAll());
        }

        parts.Remove();
        return tally.Summary(sampling.SamplesPerPrompt, parts.KeptTokens, Engine.PolicyHash);
    }

    public void Dispose() => Engine.Dispose();
}
