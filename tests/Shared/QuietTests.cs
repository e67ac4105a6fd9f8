using NUnit.Framework;

namespace Rlhf; // a fixture of all test namespaces, which begin with it

/// <summary>Warnings and progress, which programs write to stderr, belong to the test that caused them: they are shown with it if it fails, and not otherwise.</summary>
[SetUpFixture]
public sealed class QuietTests
{
    [OneTimeSetUp]
    public void KeepStderrWithTheTest() => System.Console.SetError(System.Console.Out);
}
