using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>How each method is run on the random walks: <c>configs/walks/METHOD.yaml</c>.</summary>
public static class WalkRecipes
{
    private static readonly string[] Offline = ["ilql", "rft", .. Enum.GetValues<PreferenceMethod>().Select(m => m.ToString().ToLowerInvariant())];

    private static string Folder => Path.Combine(Repository.Root(), "configs", "walks");

    /// <summary>Names of the online recipes, in order.</summary>
    public static IReadOnlyList<string> Online =>
        [.. Directory.GetFiles(Folder, "*.yaml").Select(f => Path.GetFileNameWithoutExtension(f)).Where(n => n != "base" && !Offline.Contains(n)).Order(StringComparer.Ordinal)];

    /// <summary>An online method.</summary>
    public static RunConfig Of(string name, ulong seed) => Load<RunConfig>(name, seed);

    /// <summary>ILQL on the walks.</summary>
    public static IlqlConfig Ilql(ulong seed) => Load<IlqlConfig>("ilql", seed);

    /// <summary>Rejection sampling of the walks.</summary>
    public static RftConfig Rft(ulong seed) => Load<RftConfig>("rft", seed);

    /// <summary>A preference method on pairs of the walks.</summary>
    public static PreferenceConfig Preference(PreferenceMethod method, ulong seed) => Load<PreferenceConfig>(method.ToString().ToLowerInvariant(), seed);

    /// <summary>Samples of an iteration.</summary>
    public static int SamplesPerIteration(RunConfig run) => run.Generation.PromptsPerIteration * run.Generation.SamplesPerPrompt;

    private static T Load<T>(string name, ulong seed)
        where T : class => ConfigBinder.Load<T>(Path.Combine(Folder, $"{name}.yaml"), [$"seed={seed}"]);
}
