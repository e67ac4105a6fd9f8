using System.Text;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>Files of a run directory from strangers: every mutation ends in a value, a list of findings or a typed error.</summary>
public sealed class MutatedFilesTests
{
    private const int Mutations = 400;

    [Test]
    public void Seals() => Mutate(
        "{\"files\": [{\"path\": \"a\", \"bytes\": 1, \"sha256\": \"00\"}, {\"path\": \"b/c\", \"bytes\": 22, \"sha256\": \"ff\"}]}",
        (folder, text) =>
        {
            File.WriteAllBytes(folder[FolderSeal.FileName], text);
            FolderSeal.Verify(folder.Path);
        });

    [Test]
    public void Manifests() => Mutate(
        "{\"format_version\": 1, \"seed\": 17, \"threads\": 2, \"versions\": {\"a\": \"b\"}, \"command\": [\"x\"], \"started\": \"2026-01-01T00:00:00+00:00\"}",
        (folder, text) =>
        {
            File.WriteAllBytes(folder["manifest.json"], text);
            using RunDirectory run = RunDirectory.OpenForReading(folder.Path);
            RunReport.EnvironmentOf(run.ReadManifest());
        });

    [Test]
    public void Metrics() => Mutate(
        "{\"iteration\":1,\"loss\":0.5,\"accuracy\":\"NaN\"}\n{\"iteration\":2,\"loss\":1e3}\n",
        (folder, text) =>
        {
            File.WriteAllBytes(folder["metrics.jsonl"], text);
            MetricsFile.Read(folder["metrics.jsonl"]);
        });

    [Test]
    public void Reports() => Mutate(
        "{\"title\": \"t\", \"outcomes\": [{\"name\": \"n\", \"before\": 1, \"after\": 2, \"better\": \"higher\"}], \"samples\": [{\"prompt\": \"p\", \"before\": {\"text\": \"x\", \"score\": 1}, \"after\": null}], \"facts\": [\"f\"]}",
        (folder, text) =>
        {
            File.WriteAllBytes(folder["report.json"], text);
            ReportWriter.ToHtml(RunJson.Read<ReportData>(folder["report.json"]));
        });

    [TestCase("{\"files\": [null]}")]
    [TestCase("{\"files\": null}")]
    [TestCase("{}")]
    [TestCase("null")]
    public void NullsAreRefused(string text)
    {
        using TemporaryFolder folder = new();
        folder.Write(FolderSeal.FileName, text);
        Assert.That(Assert.Throws<BadDataException>(() => FolderSeal.Verify(folder.Path))!.Message, Does.StartWith($"'{folder[FolderSeal.FileName]}' is damaged: "));
    }

    private static void Mutate(string original, Action<TemporaryFolder, byte[]> use)
    {
        using TemporaryFolder folder = new();
        byte[] whole = Encoding.UTF8.GetBytes(original);
        use(folder, whole);
        string[] tokens = ["null", "[]", "{}", "\"\"", "-1", "1e999", "99999999999999999999", "true", "[null]", "[[[[[[[[[[[[[[[[[[[["];
        int refused = 0;
        for (uint i = 0; i < Mutations; i++)
        {
            ulong bits = AddressedRandom.Bits(11, AddressedRandom.Stream.Augmentation, i);
            int at = (int)((bits >> 8) % (ulong)whole.Length);
            byte[] text = [.. whole];
            switch (bits % 4)
            {
                case 0: // truncation
                    text = text[..at];
                    break;
                case 1: // one bit
                    text[at] ^= (byte)(1 << (int)(bits >> 40 & 7));
                    break;
                case 2: // any byte
                    text[at] = (byte)(bits >> 40);
                    break;
                default: // a value of another kind
                    int colon = Array.IndexOf(text, (byte)':', at);
                    int start = colon < 0 ? 0 : colon + 1, end = Array.FindIndex(text, start, b => b is (byte)',' or (byte)'}');
                    text = [.. text[..start], .. Encoding.UTF8.GetBytes(tokens[(bits >> 48) % (ulong)tokens.Length]), .. text[(end < 0 ? text.Length : end)..]];
                    break;
            }

            try
            {
                use(folder, text);
            }
            catch (BadDataException)
            {
                refused++;
            }
            catch (Exception error) when (error is not RlhfException)
            {
                Assert.Fail($"mutation {i}: {Encoding.UTF8.GetString(text)}\n{error}");
            }
        }

        Assert.That(refused, Is.InRange(50, Mutations));
    }
}
