using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>A run whose rewards come from a server and a program: what happens when they vanish, hang, answer nonsense or crash in the middle of it.</summary>
public sealed class OutsideRewardRunTests
{
    private const int Configuration = 2, Data = 3, Numerical = 5, Engine = 6;

    [Test]
    public void ARewardThatFailsStopsTheRunAndResumeEndsWithTheSameBytes()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("skipped: the reward program is a shell script");
        string folder = TinyRun.NewFolder("outside"), whole = Path.Combine(folder, "whole"), run = Path.Combine(folder, "run"), crash = Path.Combine(folder, "crash");
        using var server = new RewardServer();
        // The program judges by a word; it ends in the middle of its work while a file is there.
        string program = $"while read -r row; do if [ -e '{crash}' ]; then echo gone >&2; exit 7; fi; case \"$row\" in *bridge*) echo 1;; *) echo 0.25;; esac; done";
        string[] rewards = ["--reward-url", $"judge@0.5={server.Address}", "--reward-program", $"word={program}", "--reward-timeout", "2"];
        string[] config = [TinyRun.Config, "--set", "scoring.rewards=[]"];

        Ended ended = Programs.Rlhf(["run", .. config, "--set", $"output={whole}", .. rewards]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(server.Requests, Is.EqualTo(5), "evaluation, three iterations, evaluation");

        (server.How, server.Fails) = (Failure.Vanishes, server.Requests + 2); // in the first iteration
        ended = Programs.Rlhf(["run", .. config, "--set", $"output={run}", .. rewards]);
        Assert.That(ended.Code, Is.EqualTo(Engine), ended.ToString());
        Assert.That(ended.Error, Does.Contain($"The reward endpoint {server.Address}").And.Contain("4 attempts").And.Contain("0 of 3 iterations are safe. Go on with: ./rlhf resume").And.Contain("--reward-url 'judge@0.5="));
        Assert.That(Path.Combine(run, "iterations", "0001", "rollouts.parquet"), Does.Exist);
        Assert.That(Path.Combine(run, "iterations", "0001", "scored.parquet"), Does.Not.Exist);
        Assert.That(Programs.Rlhf("inspect", run).Code, Is.Zero);

        // Without them, and with others, nothing is run.
        ended = Programs.Rlhf("resume", run);
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        Assert.That(ended.Error, Does.Contain("none is named now").And.Contain($"--reward-program 'word=while read").And.Contain($"--reward-url 'judge@0.5={server.Address}'"));
        ended = Programs.Rlhf(["resume", run, "--dry-run", .. rewards[..1], $"judge={server.Address}", .. rewards[2..]]);
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        ended = Programs.Rlhf(["resume", run, "--dry-run", .. rewards]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());

        server.Return();
        (server.How, server.Fails) = (Failure.AnswersNonsense, server.Requests + 2);
        ended = Programs.Rlhf(["resume", run, .. rewards]);
        Assert.That(ended.Code, Is.EqualTo(Data), ended.ToString());
        Assert.That(ended.Error, Does.Contain("answered 'hello'").And.Contain("1 of 3 iterations are safe"));

        server.Fails = int.MaxValue;
        File.WriteAllText(crash, "");
        ended = Programs.Rlhf(["resume", run, .. rewards]);
        Assert.That(ended.Code, Is.EqualTo(Engine), ended.ToString());
        Assert.That(ended.Error, Does.Contain("ended with exit code 7").And.Contain("its last words: gone").And.Contain("1 of 3 iterations are safe"));
        File.Delete(crash);

        (server.How, server.Fails) = (Failure.Hangs, server.Requests + 2);
        ended = Programs.Rlhf(["resume", run, .. rewards[..^1], "0.4"]); // how long one waits may change
        Assert.That(ended.Code, Is.EqualTo(Engine), ended.ToString());
        Assert.That(ended.Error, Does.Contain("gave no answer within 0.4 s (4 attempts)").And.Contain("2 of 3 iterations are safe"));

        server.Fails = int.MaxValue;
        ended = Programs.Rlhf(["resume", run, .. rewards]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        foreach (string part in (string[])["iterations", "checkpoints", "evaluation", "weights", "policy"]) Folders.AreEqual(Path.Combine(run, part), Path.Combine(whole, part));
        Assert.That(MetricsFile.WithoutTimes(Path.Combine(run, "metrics.jsonl")), Is.EqualTo(MetricsFile.WithoutTimes(Path.Combine(whole, "metrics.jsonl"))));
        Assert.That(MetricsFile.Read(Path.Combine(run, "metrics.jsonl"))[0].Values.Keys, Has.Member("reward/judge/mean").And.Member("reward/word/mean"));

        ended = Programs.Rlhf("replay", run, "--iteration", "2");
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        ended = Programs.Rlhf(["replay", run, "--iteration", "2", .. rewards]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
    }

    [Test]
    public void ARewardThatIsNotFiniteIsNamedWithRewardRowAndIteration()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("skipped: the reward program is a shell script");
        string run = Path.Combine(TinyRun.NewFolder("infinite"), "run");
        Ended ended = Programs.Rlhf(
            "run", TinyRun.Config, "--set", "scoring.rewards=[]", "--set", "evaluation.prompts=", "--set", $"output={run}",
            "--reward-program", "word=n=0; while read -r row; do n=$((n+1)); if [ $n = 5 ]; then echo 1e999; else echo 1; fi; done");
        Assert.That(ended.Code, Is.EqualTo(Numerical), ended.ToString());
        Assert.That(ended.Error, Does.Match(@"Iteration 1 failed: \S*rollouts\.parquet, row 5: the reward 'word' .* 0 of 3 iterations are safe"));
    }

    [Test]
    public void ARunWithoutRewardsFromOutsideTakesNone()
    {
        Ended ended = Programs.Rlhf("resume", TinyRun.Run, "--dry-run", "--reward-url", "http://127.0.0.1:9/");
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        Assert.That(ended.Error, Does.Contain("begun without rewards from outside").And.Contain("--reward-url 'endpoint=http://127.0.0.1:9/'"));
        ended = Programs.Rlhf("run", TinyRun.Config, "--set", "scoring.rewards=[]", "--set", "output=never");
        Assert.That(ended.Code, Is.EqualTo(Configuration), ended.ToString());
        Assert.That(ended.Error, Does.Contain("scoring.rewards is empty").And.Contain("--reward-url"));
    }

    private enum Failure { Vanishes, Hangs, AnswersNonsense }

    /// <summary>Rewards a response by its length; from a request on it fails in a chosen way, until told otherwise. A plain socket: HttpListener answers even when it is stopped.</summary>
    private sealed class RewardServer : IDisposable
    {
        private readonly List<TcpClient> _unanswered = [];
        private TcpListener _listener = new(IPAddress.Loopback, 0);
        private Task _serving;
        private int _requests;

        public RewardServer()
        {
            _listener.Start();
            Address = $"http://{_listener.LocalEndpoint}/";
            _serving = Task.Run(Serve);
        }

        public string Address { get; }

        public int Requests => Volatile.Read(ref _requests);

        /// <summary>The number of the first request that fails, from 1.</summary>
        public int Fails { get; set; } = int.MaxValue;

        public Failure How { get; set; }

        /// <summary>Is there again after it vanished.</summary>
        public void Return()
        {
            _serving.Wait();
            _listener = new TcpListener(IPAddress.Loopback, new Uri(Address).Port);
            _listener.Start();
            _serving = Task.Run(Serve);
        }

        private async Task Serve()
        {
            while (true)
            {
                TcpClient client;
                try
                {
                    client = await _listener.AcceptTcpClientAsync();
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    return; // stopped
                }

                byte[] body = await Body(client.GetStream());
                bool fails = Interlocked.Increment(ref _requests) >= Fails;
                if (fails && How == Failure.Hangs)
                {
                    _unanswered.Add(client);
                    continue;
                }

                if (fails && How == Failure.Vanishes)
                {
                    client.Close();
                    _listener.Stop(); // nobody listens at this port any more
                    return;
                }

                using JsonDocument request = JsonDocument.Parse(body);
                IEnumerable<double> rewards = request.RootElement.GetProperty("rows").EnumerateArray().Select(r => 1.0 / (1 + r.GetProperty("response").GetString()!.Length));
                string answer = fails ? "hello" : JsonSerializer.Serialize(new { rewards });
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {answer.Length}\r\nConnection: close\r\n\r\n{answer}"));
                client.Close();
            }
        }

        private static async Task<byte[]> Body(NetworkStream stream)
        {
            var head = new StringBuilder();
            byte[] one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1) head.Append((char)one[0]);
            const string Length = "content-length: ";
            string line = head.ToString().ToLowerInvariant().Split("\r\n").Single(l => l.StartsWith(Length, StringComparison.Ordinal));
            byte[] body = new byte[int.Parse(line[Length.Length..], System.Globalization.CultureInfo.InvariantCulture)];
            await stream.ReadExactlyAsync(body);
            return body;
        }

        public void Dispose()
        {
            _listener.Stop();
            _serving.Wait();
            _unanswered.ForEach(client => client.Dispose());
        }
    }
}
