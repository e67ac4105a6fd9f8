using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline;

/// <summary>Rewards from outside belong to a run, but are not in its configuration: whoever goes on with it names them again.</summary>
internal static class OutsideRewards
{
    /// <summary>The command line that goes on with a run.</summary>
    public static string ResumeCommand(string run, IEnumerable<string> arguments) => string.Concat([$"./rlhf resume {run}", .. arguments.Select(a => $" {a}")]);

    /// <summary>Refuses other rewards than the run began with: other ones, none, or the same ones in another order (sums would round otherwise).</summary>
    /// <param name="manifest">Of the run.</param>
    /// <param name="outside">As named now.</param>
    /// <param name="command">The command without them, for the message.</param>
    /// <exception cref="ConfigurationException">They differ; the message is the command line to give.</exception>
    public static void Check(RunManifest manifest, IReadOnlyList<OutsideReward> outside, string command)
    {
        string[] now = [.. outside.Select(o => o.Argument)];
        if (now.SequenceEqual(manifest.OutsideRewards)) return;
        if (manifest.OutsideRewards.Count == 0) throw new ConfigurationException($"The run was begun without rewards from outside; named now: {string.Join(' ', now)}. They cannot be added within a run. Go on without them: {command}");
        throw new ConfigurationException(
            $"The run was begun with rewards from outside, and {(now.Length == 0 ? "none is" : $"other ones are ({string.Join(' ', now)})")} named now. They run only when the command line names them; name the same ones again: "
            + string.Concat([command, .. manifest.OutsideRewards.Select(a => $" {a}")]));
    }
}
