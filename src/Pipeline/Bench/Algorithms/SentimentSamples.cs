using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>The shipped review writer and its judge: draws responses to the shipped prompts and scores them by P(positive).</summary>
public sealed class SentimentSamples : IDisposable
{
    /// <summary>Sampling temperature and length of configs/demo.yaml.</summary>
    public const double Temperature = 0.7;

    private const int MaxNewTokens = 48, EvaluationAddress = 1_000_000_000;

    private readonly string _folder;
    private readonly GenerationStage _generation;
    private readonly ScoringStage _scoring;

    /// <param name="folder">Where ONNX folders and files go.</param>
    /// <param name="threads">Of the engines; 0: all cores.</param>
    public SentimentSamples(string folder, int threads)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        string models = Path.Combine(Repository.Root(), "models");
        Policy = Path.Combine(models, "policy-imdb");
        Onnx = Path.Combine(folder, "policy");
        string reward = Path.Combine(folder, "reward");
        ModelExport.Folder(Policy, Onnx);
        ModelExport.Folder(Path.Combine(models, "reward-imdb"), reward);
        _generation = GenerationStage.Open(Onnx, threads: threads);
        _scoring = new ScoringStage([new RewardSourceConfig { Name = "positive", Model = reward, Transform = "sigmoid" }], Onnx, threads);
    }

    /// <summary>Hugging Face folder of the SFT policy.</summary>
    public string Policy { get; }

    /// <summary>Its ONNX folder.</summary>
    public string Onnx { get; }

    /// <summary>Responses of a policy to the training prompts, scored, as a file.</summary>
    public string Train(int samplesPerPrompt, ulong seed, CancellationToken cancellation) => Draw(Onnx, "train", samplesPerPrompt, seed, 0, cancellation);

    /// <summary>Responses of a policy to the held-out prompts: the same addresses for every policy, so that differences come from the weights.</summary>
    /// <param name="onnx">The policy's ONNX folder.</param>
    /// <param name="samplesPerPrompt">Responses a prompt.</param>
    /// <param name="seed">Of the addresses.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    public Evaluation HeldOut(string onnx, int samplesPerPrompt, ulong seed, CancellationToken cancellation) =>
        Evaluation.Of([.. ScoredFile.Read(Draw(onnx, "heldout", samplesPerPrompt, seed, EvaluationAddress, cancellation))]);

    private string Draw(string onnx, string prompts, int samplesPerPrompt, ulong seed, int iteration, CancellationToken cancellation)
    {
        string rollouts = Path.Combine(_folder, $"{prompts}.rollouts.parquet"), scored = Path.Combine(_folder, $"{prompts}.scored.parquet");
        SamplingOptions sampling = new() { SamplesPerPrompt = samplesPerPrompt, MaxNewTokens = MaxNewTokens, Temperature = Temperature, BatchSize = 64, Seed = seed, Iteration = iteration };
        _generation.Engine.Reopen(PolicyFolder.Open(onnx));
        _generation.Run(PromptFile.Read(Path.Combine(Repository.Root(), "data", $"review-openings.{prompts}.jsonl"), "prompt"), sampling, rollouts, null, cancellation);
        _scoring.Run(new ScoringJob { Input = rollouts, Output = scored, Temperature = Temperature }, null, cancellation);
        return scored;
    }

    public void Dispose()
    {
        _generation.Dispose();
        _scoring.Dispose();
    }
}
