using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Rlhf.Scoring;

namespace Rlhf.Pipeline.Bench;

/// <summary>Answers of an endpoint and of a program, as the built program asks for them.</summary>
internal static class FuzzRewards
{
    private const int Rows = 3;

    private static string? s_address;

    /// <summary>Writes the corpus.</summary>
    public static void Write(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        File.WriteAllLines(At("answered.jsonl"), TinyModel.Prompts.Take(Rows).Select(p => $"{{\"prompt\": \"{p}\", \"response\": \" {p}\"}}"));
        File.WriteAllText(At("endpoint.json"), """{"rewards": [1.5, -2, 0.25]}""");
        File.WriteAllLines(At("program.jsonl"), ["""{"id": 0, "reward": 1.5}""", """{"id": 1, "reward": -2}""", "0.25"]);
    }

    public static IEnumerable<FuzzTarget> Targets(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        yield return new("endpoint's answer", ["endpoint.json"], () => Score(folder, "--reward-url", s_address ??= Serve(At("endpoint.json"))));
        yield return new("program's answers", ["program.jsonl"], () => Score(folder, "--reward-program", $"exec 3< '{At("program.jsonl")}'; while read -r row; do read -r answer <&3 || [ -n \"$answer\" ] || exit; printf '%s\\n' \"$answer\"; done"));
    }

    private static string Score(string folder, string option, string source)
    {
        var options = new OutsideRewardOptions();
        Command command = new("score");
        options.AddTo(command);
        using var scoring = new ScoringStage([], "", 1, options.Of(command.Parse([option, source, "--reward-timeout", "2"])));
        return scoring.Run(new ScoringJob { Input = Path.Combine(folder, "answered.jsonl"), Output = Path.Combine(folder, "answered.parquet") }).ToString()!;
    }

    /// <summary>A server of this process that answers everything with the file as it is then.</summary>
    private static string Serve(string file)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        string address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/";
        probe.Stop();
        var listener = new HttpListener { Prefixes = { address } };
        listener.Start();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                HttpListenerContext asked = await listener.GetContextAsync().ConfigureAwait(false);
                await asked.Request.InputStream.CopyToAsync(Stream.Null).ConfigureAwait(false);
                await asked.Response.OutputStream.WriteAsync(await File.ReadAllBytesAsync(file).ConfigureAwait(false)).ConfigureAwait(false);
                asked.Response.Close();
            }
        });
        return address;
    }
}
