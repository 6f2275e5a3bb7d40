"""The Hive metastore of `tools.spark_cluster`, on loopback alone: Hive's own main class listens to the whole network.

Run by the cluster, with the Python of the packages of the section `spark`. It ends when its Java does, and its Java
when it does.
"""

from __future__ import annotations

import argparse
import sys

HOST = "127.0.0.1"


def serve(java: str, classpath: str, options: list[str], port: int) -> None:
    """Answer at the port until the process is ended. What Java writes goes to this process's own output."""
    from py4j.java_gateway import JavaGateway

    gateway = JavaGateway.launch_gateway(
        java_path=java,
        classpath=classpath,
        javaopts=options,
        die_on_exit=True,
        redirect_stdout=sys.stdout,
        redirect_stderr=sys.stderr,
    )
    metastore = gateway.jvm.org.apache.hadoop.hive.metastore
    thrift = gateway.jvm.org.apache.thrift
    settings = gateway.jvm.org.apache.hadoop.hive.conf.HiveConf()
    handler = metastore.HiveMetaStore.HMSHandler("metastore", settings, False)
    processor = metastore.TSetIpAddressProcessor(
        metastore.HiveMetaStore.newRetryingHMSHandler(handler, settings, False)
    )
    socket = thrift.transport.TServerSocket(gateway.jvm.java.net.InetSocketAddress(HOST, port))
    pool = thrift.server.TThreadPoolServer
    pool(pool.Args(socket).processor(processor)).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", required=True)
    parser.add_argument("--classpath", required=True)
    parser.add_argument("-p", "--port", type=int, required=True)
    arguments, java_options = parser.parse_known_args()
    serve(arguments.java, arguments.classpath, java_options, arguments.port)


if __name__ == "__main__":
    main()
