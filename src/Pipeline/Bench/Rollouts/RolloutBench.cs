using Rlhf.Core;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>What the cases of <c>rlhf bench rollouts</c> share: options, a folder to export to, prompts, and what was measured.</summary>
internal sealed record RolloutBench(BenchRolloutsOptions Options, string Root, Action<string> Told, CancellationToken Cancellation)
{
    /// <summary>Tokens of a prompt and of a response where all are equal.</summary>
    public const int PromptTokens = 32, NewTokens = 96;

    public OrtEngineOptions Engine { get; } = new() { Threads = Options.Threads };

    public List<RolloutBenchRow> Rows { get; } = [];

    public List<RolloutBenchNumber> Numbers { get; } = [];

    public List<double> LongRunMegabytes { get; } = [];

    /// <summary>True where the case is wanted; tells its name.</summary>
    public bool Chosen(string name)
    {
        if (!name.Contains(Options.Only, StringComparison.Ordinal)) return false;
        Told(name);
        return true;
    }

    /// <summary>Adds a number; required 0: none.</summary>
    public void Number(string name, double value, string unit, double required, bool atMost = false) =>
        Numbers.Add(new(name, value, unit, required == 0 ? "" : FormattableString.Invariant($"{(atMost ? "≤" : "≥")} {required}"), required == 0 || (atMost ? value <= required : value >= required)));

    /// <summary>count prompts of addressed lengths.</summary>
    public static List<Prompt> Prompts(int count, int shortest, int longest, int vocabulary) =>
        [.. Enumerable.Range(0, count).Select(i => One(i, shortest + (int)(AddressedRandom.Bits(9, AddressedRandom.Stream.Probe, (uint)i) % (ulong)(longest - shortest + 1)), vocabulary))];

    /// <summary>BOS, then ids above those that end responses.</summary>
    public static Prompt One(int index, int length, int vocabulary)
    {
        int[] tokens = new int[length];
        tokens[0] = 1;
        for (int i = 1; i < length; i++) tokens[i] = (vocabulary / 4) + (int)(AddressedRandom.Bits(9, AddressedRandom.Stream.Probe, (uint)index, 1, (uint)i) % (ulong)(vocabulary / 2));
        return new Prompt { Id = FormattableString.Invariant($"{index}"), Text = "", Tokens = tokens };
    }
}
