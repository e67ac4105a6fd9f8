using System.Diagnostics;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Runs that end before their time: killed, or let down by a reward program or a file. Finished windows are never lost.</summary>
public sealed class KilledTests : Fixture
{
    private string Rows(int count) => Text("in.jsonl", [.. Enumerable.Range(0, count).Select(i => $"{{\"id\":{i},\"response\":\"{Words((uint)i)}\"}}")]);

    [Test]
    public void KilledAtWorkAndWhileWritingAndResumedGivesTheSameBytes()
    {
        // Long notes make the join slow enough to be met; the program does that for the work.
        string note = new('n', 60_000);
        string input = Text("in.jsonl", [.. Enumerable.Range(0, 400).Select(i => $"{{\"id\":{i},\"response\":\"{Words((uint)i)}\",\"note\":\"{note}\"}}")]), reward = Reward("reward").Folder;
        string[] options = ["--in", input, "--reward-model", reward, "--reward-program", "while read -r line; do sleep 0.001; echo 1; done", "--threads", "1", "--window-rows", "20"];
        string output = At("killed.parquet"), work = output + ".scores.partial", join = output + ".columns.partial";
        int kills = 0, joins = 0, resumed = 0;
        for (int start = 0; start < 16 && !File.Exists(output); start++)
        {
            // At work: some time after the first row of this start was kept. While writing: some time after the columns' file is there.
            double u = AddressedRandom.Uniform(9, AddressedRandom.Stream.Probe, (uint)start);
            long before = Size(work);
            using Process process = Start([.. options, "--out", output]);
            Task<string> told = process.StandardError.ReadToEndAsync();
            bool whileWriting = kills >= 5;
            Until(process, () => whileWriting ? File.Exists(join) : Size(work) > before);
            if (!process.WaitForExit((int)((whileWriting ? 60 : 120) * u)))
            {
                bool isWriting = File.Exists(join);
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
                // A kill may land after the file got its name and before the program ended: then the file is whole, which the last line tells.
                if (!File.Exists(output)) kills++;
                if (isWriting && !File.Exists(output)) joins++;
            }

            process.WaitForExit();
            if (told.Result.Contains("going on from there", StringComparison.Ordinal)) resumed++;
        }

        TestContext.Out.WriteLine($"{kills} kills, {joins} of them while writing; {resumed} starts went on from finished windows");
        if (!File.Exists(output))
        {
            (int code, _, string error) = Program([.. options, "--out", output]);
            Assert.That((code, error.Contains("going on from there", StringComparison.Ordinal)), Is.EqualTo((0, true)), error);
        }

        Assert.That(Program([.. options, "--out", At("whole.parquet")]).Code, Is.Zero);
        Assert.That(File.ReadAllBytes(output), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
        Assert.That(Directory.GetFiles(Folder, "*.partial"), Is.Empty);
        Assert.That(kills, Is.GreaterThanOrEqualTo(5));
        Assert.That(resumed, Is.GreaterThanOrEqualTo(4), "each start behind a kill at work finds its windows");
        Assert.That(joins, Is.GreaterThanOrEqualTo(1));
    }

    private static long Size(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private static void Until(Process process, Func<bool> happened)
    {
        while (!process.HasExited && !happened()) Thread.Sleep(1);
    }

    [TestCase("n=0; while read -r line; do n=$((n+1)); if [ $n -gt 100 ]; then exit 4; fi; echo 1; done", 6, "ended with exit code 4")]
    [TestCase("n=0; while read -r line; do n=$((n+1)); if [ $n -gt 100 ]; then sleep 30; fi; echo 1; done", 6, "gave no answer within 1 s")]
    [TestCase("n=0; while read -r line; do n=$((n+1)); if [ $n -gt 100 ]; then echo good; else echo 1; fi; done", 3, "answered 'good'")]
    public void AProgramThatFailsIsNamedAndItsFinishedRowsAreKept(string program, int code, string message)
    {
        string input = Rows(300);
        string[] options = ["--in", input, "--out", At("out.parquet"), "--window-rows", "40", "--reward-timeout", "1", "--reward-program"];
        (int found, _, string error) = Program([.. options, program]);
        Assert.That((found, error), Is.EqualTo((code, error)));
        Assert.That(error, Does.Contain(message));
        Assert.That(File.Exists(At("out.parquet")), Is.False);
        Assert.That(new FileInfo(At("out.parquet.scores.partial")).Length, Is.GreaterThan(0), "two windows of 40 were answered");
        (found, _, error) = Program([.. options, "while read -r line; do echo 1; done"]);
        Assert.That((found, error), Is.EqualTo((0, error)), "another program is another run: it starts anew");
        using DataReader reader = DataReader.Open(At("out.parquet"));
        Assert.That(reader.CountRows(), Is.EqualTo(300));
    }

    [Test]
    public void ADamagedRowGroupIsNamedAndNothingIsWritten()
    {
        string path = At("in.parquet");
        using (DataWriter writer = DataWriter.Create(path, [new("response", ColumnType.Text)]))
        {
            for (int i = 0; i < 3000; i++)
            {
                writer.Set(0, Words((uint)i) + i);
                writer.EndRow();
            }

            writer.Complete();
        }

        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan(bytes.Length / 3, 600).Fill(0xEE); // the footer is whole: only reading the rows finds it
        File.WriteAllBytes(path, bytes);
        (int code, _, string error) = Program("--in", path, "--out", At("out.parquet"), "--rule", "variety");
        Assert.That((code, error), Is.EqualTo((3, error)));
        Assert.That(error, Does.Contain("in.parquet"));
        Assert.That(File.Exists(At("out.parquet")), Is.False);
    }

    [Test]
    public void WrongTypesAreNamed()
    {
        string input = Text("in.jsonl", "{\"response\":[1,2]}", "{\"response\":[3]}");
        (int code, _, string error) = Program("--in", input, "--out", At("out.parquet"), "--rule", "variety");
        Assert.That((code, error), Is.EqualTo((3, error)));
        Assert.That(error, Does.Contain("column 'response' is BIGINT[]"));
        input = Text("late.jsonl", "{\"response\":\"a\",\"temperature\":1}", "{\"response\":\"b\",\"temperature\":\"warm\"}");
        (code, _, error) = Program("--in", input, "--out", At("out.parquet"), "--rule", "variety");
        Assert.That((code, error), Is.EqualTo((3, error)));
        Assert.That(error, Does.Contain("late.jsonl, row 2").And.Contain("warm"));
        Assert.That(Directory.GetFiles(Folder, "out*"), Is.Empty);
    }

    private static Process Start(params string[] args)
    {
        var info = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        info.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "rlhf-score.dll"));
        foreach (string arg in args) info.ArgumentList.Add(arg);
        Process process = Process.Start(info)!;
        _ = process.StandardOutput.ReadToEndAsync(); // a full pipe would stop it
        return process;
    }
}
