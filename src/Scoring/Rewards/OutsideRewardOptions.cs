using System.CommandLine;
using System.Text.RegularExpressions;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// The options that name rewards from outside: the same for <c>rlhf-score</c>, <c>rlhf run</c>, <c>resume</c> and <c>replay</c>. Foreign code runs because it was named
/// here, and for no other reason.
/// </summary>
public sealed partial class OutsideRewardOptions
{
    private readonly Option<string[]> _programs = new("--reward-program") { Description = "Shell command that reads one JSON row a line and answers {\"reward\": …} a line; repeatable. NAME@W=COMMAND names and weighs it.", HelpName = "COMMAND", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _endpoints = new("--reward-url") { Description = "HTTP endpoint: {\"rows\": […]} is answered by {\"rewards\": […]}; repeatable. NAME@W=URL names and weighs it.", HelpName = "URL", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _assemblies = new("--reward-assembly") { Description = ".NET assembly with a public class that implements IRewardFunction; repeatable. NAME@W=FILE.dll names and weighs it.", HelpName = "FILE.dll", DefaultValueFactory = _ => [] };
    private readonly Option<double> _timeout = new("--reward-timeout") { Description = "Seconds to wait for one answer of a program or endpoint.", HelpName = "S", DefaultValueFactory = _ => 60 };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_programs, _endpoints, _assemblies, _timeout]) command.Options.Add(option);
    }

    /// <summary>What was named, nothing opened yet.</summary>
    /// <exception cref="ConfigurationException">An address or the time-out is none.</exception>
    public IReadOnlyList<OutsideReward> Of(ParseResult parsed)
    {
        double seconds = parsed.GetValue(_timeout);
        if (!(seconds is > 0 and <= 86400)) throw new ConfigurationException($"--reward-timeout is {seconds}; it must be above 0 and at most 86400 seconds.");
        if (parsed.GetResult(_timeout) is { Implicit: false } && parsed.GetValue(_programs)!.Length + parsed.GetValue(_endpoints)!.Length == 0)
            throw new ConfigurationException("--reward-timeout is for reward programs and endpoints, and none is named: give --reward-program or --reward-url, or leave it out.");
        TimeSpan patience = TimeSpan.FromSeconds(seconds);
        return
        [
            .. parsed.GetValue(_programs)!.Select(p => Named(p, "program", _programs.Name, c => new ProgramReward(c, patience))),
            .. parsed.GetValue(_endpoints)!.Select(p => Named(p, "endpoint", _endpoints.Name, a => new HttpReward(Address(a), patience))),
            .. parsed.GetValue(_assemblies)!.Select(p => Named(p, "assembly", _assemblies.Name, AssemblyReward.Open)).Select(r => r with { File = Path.GetFullPath(r.Source) }),
        ];
    }

    /// <summary>[NAME[@WEIGHT]=]SOURCE</summary>
    private static OutsideReward Named(string text, string kind, string option, Func<string, IRewardFunction> open)
    {
        Match match = NamePrefix().Match(text);
        string source = match.Success ? text[match.Length..] : text;
        (string name, double weight) = match.Success ? ScoreCommand.Weight(match.Groups[1].Value) : (kind, 1);
        if (name.Contains('@', StringComparison.Ordinal)) throw new ConfigurationException($"{option} '{Excerpt.Of(text)}': the weight in '{name}' is no number; write NAME@W={kind switch { "program" => "COMMAND", "endpoint" => "URL", _ => "FILE.dll" }} with W as in 0.5.");
        if (kind == "endpoint") _ = Address(source);
        return new OutsideReward(name, weight, source, () => open(source)) { Option = option };
    }

    private static Uri Address(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
        ? address!
        : throw new ConfigurationException($"--reward-url: '{text}' is no http or https address.");

    [GeneratedRegex(@"^([A-Za-z][\w.-]*(?:@[-+.\d]+)?)=", RegexOptions.CultureInvariant)]
    private static partial Regex NamePrefix();
}
