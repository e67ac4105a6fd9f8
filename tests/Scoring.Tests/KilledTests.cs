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
    public void KilledTenTimesAndResumedGivesTheSameBytes()
    {
        string input = Rows(400), reward = Reward("reward").Folder;
        // The program makes the run slow enough to be met at work.
        string[] options = ["--in", input, "--reward-model", reward, "--reward-program", "while read -r line; do sleep 0.002; echo 1; done", "--threads", "1", "--window-rows", "20", "--log-level", "error"];
        int kills = 0;
        for (int i = 0; i < 10; i++)
        {
            using Process process = Start([.. options, "--out", At("killed.parquet")]);
            if (!process.WaitForExit(300 + (int)(500 * AddressedRandom.Uniform(9, AddressedRandom.Stream.Probe, (uint)i))))
            {
                process.Kill(entireProcessTree: true);
                kills++;
            }

            process.WaitForExit();
            // A kill may land after the file got its name and before the program ended: then the file is whole, which the last line tells.
            if (File.Exists(At("killed.parquet"))) break;
        }

        Assert.That(kills, Is.GreaterThan(2));
        if (!File.Exists(At("killed.parquet"))) Assert.That(Program([.. options, "--out", At("killed.parquet")]).Code, Is.Zero);
        Assert.That(Program([.. options, "--out", At("whole.parquet")]).Code, Is.Zero);
        Assert.That(File.ReadAllBytes(At("killed.parquet")), Is.EqualTo(File.ReadAllBytes(At("whole.parquet"))));
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
        return Process.Start(info)!;
    }
}
