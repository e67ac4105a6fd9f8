namespace Rlhf.Core.Tests;

public enum SampleSchedule { Constant, LinearDecay }

[Doc("A configuration that has one of everything.")]
public sealed record SampleConfig : IValidated
{
    [Doc("Where the policy lies."), Required, PathRelative] public string Policy { get; init; } = "";
    [Doc("Seed of the run.")] public ulong Seed { get; init; } = 17;
    [Doc("Responses drawn an iteration."), Range(1)] public int RolloutsPerIteration { get; init; } = 64;
    [Doc("Text before every prompt.")] public string? Prefix { get; init; }
    [Doc("How the learning rate goes.")] public SampleSchedule Schedule { get; init; }
    [Doc("Where it runs."), OneOf("cpu", "cuda")] public string Device { get; init; } = "cpu";
    [Doc("Words that end a response.")] public IReadOnlyList<string> Stop { get; init; } = [];
    [Doc("The algorithm.")] public SamplePpo Ppo { get; init; } = new() { ClipRange = 0.25 };
    [Doc("What is rewarded.")] public IReadOnlyList<SampleReward> Rewards { get; init; } = [];
    [Doc("Named data sets.")] public IReadOnlyDictionary<string, SampleData> Data { get; init; } = new Dictionary<string, SampleData>();

    public IEnumerable<ConfigProblem> Validate()
    {
        if (RolloutsPerIteration % Ppo.MinibatchSize != 0)
            yield return new("Ppo.MinibatchSize", $"must divide rollouts_per_iteration ({RolloutsPerIteration}). Use 8 or 16.");
    }
}

[Doc("Proximal policy optimisation.")]
public sealed record SamplePpo
{
    [Doc("ε of the clipped surrogate."), Range(0, 1)] public double ClipRange { get; init; } = 0.2;
    [Doc("Responses a step."), Range(1), SafeToChange] public int MinibatchSize { get; init; } = 16;
    [Doc("Discount."), Range(0, 1, MinimumIsOpen = true)] public float Gamma { get; init; } = 1;
    [Doc("Stop early above this KL; none to go on."), Range(0)] public double? TargetKl { get; init; }
    [Doc("Whiten the advantages.")] public bool Whiten { get; init; } = true;
}

public sealed record SampleReward
{
    [Doc("Its name."), Required] public string Name { get; init; } = "";
    [Doc("Its weight.")] public double Weight { get; init; } = 1;
}

public sealed record SampleData
{
    [Doc("Files."), PathRelative] public IReadOnlyList<string> Files { get; init; } = [];
}
